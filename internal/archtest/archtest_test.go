package archtest

import (
	"bufio"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/pseudods/pseudods"

// source is one Go file of the module.
type source struct {
	path string // from the module's root
	pkg  string // its folder
	test bool
	file *ast.File
	fset *token.FileSet
}

func sources(t *testing.T) []source {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	var out []source
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "testdata" || name == "node_modules") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") {
			return nil
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		out = append(out, source{path: filepath.ToSlash(rel), pkg: filepath.ToSlash(filepath.Dir(rel)),
			test: strings.HasSuffix(path, "_test.go"), file: f, fset: fset})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 20 {
		t.Fatalf("only %d Go files found", len(out))
	}
	return out
}

func (s source) imports() (out []string) {
	for _, i := range s.file.Imports {
		p, _ := strconv.Unquote(i.Path.Value)
		out = append(out, p)
	}
	return out
}

// parseTable reads lines "package <- import import"; a backslash continues.
func parseTable(t *testing.T, table string) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for line := range strings.Lines(strings.ReplaceAll(table, "\\\n", " ")) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		pkg, imports, ok := strings.Cut(line, "<-")
		if !ok {
			t.Fatalf("table line without <-: %q", line)
		}
		pkg = strings.TrimSpace(pkg)
		if _, twice := out[pkg]; twice {
			t.Fatalf("%s stands twice in the table", pkg)
		}
		out[pkg] = strings.Fields(imports)
	}
	return out
}

func TestImportsFollowTheTable(t *testing.T) {
	for name, tc := range map[string]struct {
		table string
		of    func(imported string) (string, bool)
	}{
		"inside the module": {internalImports, func(p string) (string, bool) { return strings.CutPrefix(p, module+"/") }},
		"other modules": {externalImports, func(p string) (string, bool) {
			return p, strings.Contains(strings.SplitN(p, "/", 2)[0], ".") && !strings.HasPrefix(p, module)
		}},
	} {
		allowed := parseTable(t, tc.table)
		used := map[string]map[string]bool{}
		for _, s := range sources(t) {
			if s.test {
				continue
			}
			for _, p := range s.imports() {
				imported, ok := tc.of(p)
				if !ok {
					continue
				}
				if used[s.pkg] == nil {
					used[s.pkg] = map[string]bool{}
				}
				used[s.pkg][imported] = true
				if !slices.Contains(allowed[s.pkg], imported) {
					t.Errorf("%s (%s): %s may not import %s", s.path, name, s.pkg, imported)
				}
			}
		}
		for pkg, imports := range allowed {
			for _, p := range imports {
				if !used[pkg][p] {
					t.Errorf("stale line (%s): %s does not import %s", name, pkg, p)
				}
			}
		}
	}
}

func TestNeverLinked(t *testing.T) {
	for _, rule := range neverLinked {
		out, err := exec.Command("go", "list", "-deps", module+"/"+rule.program).CombinedOutput()
		if err != nil {
			t.Fatalf("go list %s: %v\n%s", rule.program, err, out)
		}
		for dep := range strings.Lines(string(out)) {
			dep = strings.TrimSpace(dep)
			for _, bad := range rule.never {
				if dep == module+"/"+bad || strings.HasPrefix(dep, module+"/"+bad+"/") || dep == bad {
					t.Errorf("%s links %s, so that it could %s", rule.program, dep, rule.reason)
				}
			}
		}
	}
}

func TestCoreIsPure(t *testing.T) {
	forbidden := []string{"net", "net/http", "os", "log", "log/slog", "math/rand", "math/rand/v2"}
	for _, s := range sources(t) {
		if s.test || !slices.ContainsFunc(pure, func(p string) bool { return s.pkg == p || strings.HasPrefix(s.pkg, p+"/") }) ||
			slices.ContainsFunc(notPure, func(p string) bool { return s.pkg == p || strings.HasPrefix(s.pkg, p+"/") }) {
			continue
		}
		for _, p := range s.imports() {
			if slices.Contains(forbidden, p) {
				t.Errorf("%s imports %s; the core does no I/O", s.path, p)
			}
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" && (sel.Sel.Name == "Now" || sel.Sel.Name == "Sleep") {
				t.Errorf("%s: time.%s; the core is given the time", s.fset.Position(n.Pos()), sel.Sel.Name)
			}
			return true
		})
	}
}

func TestFilesStayShort(t *testing.T) {
	for _, s := range sources(t) {
		f, err := os.Open(filepath.Join("../..", s.path))
		if err != nil {
			t.Fatal(err)
		}
		lines := 0
		sc := bufio.NewScanner(f)
		sc.Buffer(nil, 1<<20)
		for sc.Scan() {
			lines++
		}
		f.Close()
		if err := sc.Err(); err != nil {
			t.Fatal(err)
		}
		limit := 600
		if strings.HasPrefix(s.path, "cmd/") && filepath.Base(s.path) == "main.go" {
			limit = 60
		}
		if lines > limit && !ast.IsGenerated(s.file) {
			t.Errorf("%s has %d lines, %d are the limit: look for the seam", s.path, lines, limit)
		}
	}
}

func TestNoVagueNames(t *testing.T) {
	vague := []string{"pkg", "util", "utils", "common", "types", "models", "interfaces", "mocks", "manager", "helper", "helpers"}
	for _, s := range sources(t) {
		for _, part := range strings.Split(s.pkg, "/") {
			if slices.Contains(vague, part) {
				t.Errorf("%s: a package named %s says nothing", s.path, part)
			}
		}
	}
}
