package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pseudods/pseudods/client"
	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/pseudods/httpapi"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// declared returns the texts of a package's exported sentinel errors.
func declared(t *testing.T, dir string) (out []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			v, ok := n.(*ast.ValueSpec)
			if !ok || len(v.Values) != 1 || !strings.HasPrefix(v.Names[0].Name, "Err") {
				return true
			}
			if call, ok := v.Values[0].(*ast.CallExpr); ok && len(call.Args) == 1 {
				text, err := strconv.Unquote(call.Args[0].(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, text)
			}
			return true
		})
	}
	return out
}

// TestEveryErrorHasASentence: none of the SDK's errors reaches a person as it is.
func TestEveryErrorHasASentence(t *testing.T) {
	n := 0
	for _, dir := range []string{"../../client", "../../client/account", "../../client/vault", "../../client/wallet", "../../pseudods/httpapi"} {
		for _, text := range declared(t, dir) {
			n++
			i := slices.IndexFunc(sentences, func(s sentence) bool { return s.err.Error() == text })
			if i < 0 {
				t.Errorf("%s: no sentence for %q", dir, text)
				continue
			}
			got, code := explain(fmt.Errorf("somewhere: %w", sentences[i].err))
			if got != sentences[i].text || code != exitRefused || strings.Contains(got, text) {
				t.Errorf("%q: %q, %d", text, got, code)
			}
		}
	}
	if n < 30 {
		t.Errorf("only %d errors were found", n)
	}
}

func TestEveryCodeHasASentence(t *testing.T) {
	for c := wire.CodeInternal; c <= wire.CodeUnsupported; c++ {
		text, code := explain(fmt.Errorf("client: %w", &wire.Error{Code: c, RetryAfter: 7}))
		if text == "" || strings.Contains(text, "wire") {
			t.Errorf("code %d: %q", c, text)
		}
		if want := map[bool]int{true: exitUnsupported, false: exitRefused}[c == wire.CodeUnsupportedVersion || c == wire.CodeUnsupported]; code != want {
			t.Errorf("code %d: exit status %d", c, code)
		}
	}
}

func TestExplain(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"uncertain":    {&account.UncertainError{Err: httpapi.ErrTransport}, "the server did not answer"},
		"rate limited": {&wire.Error{Code: wire.CodeRateLimited, RetryAfter: 7}, "in 7 s"},
		"no such host": {&url.Error{Op: "Get", URL: "https://ds.example/path?x", Err: errors.New("no such host")}, "https://ds.example cannot be reached"},
		"one of many":  {&about{"bob", account.ErrNoContact}, "bob: there is no such contact"},
		"joined":       {errors.Join(nil, client.ErrLost), "cannot follow"},
		"another's":    {&reported{"as it was", 3}, "as it was"},
	} {
		if got, _ := explain(c.err); !strings.Contains(got, c.want) || strings.Contains(got, "\n") {
			t.Errorf("%s: %q", name, got)
		}
	}
}
