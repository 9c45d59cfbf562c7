package protocol

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/pseudods/httpapi"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/tokens"
)

// marker is where the document has something made from code: the fence or table
// that follows is replaced.
var marker = regexp.MustCompile("(?m)^<!-- (show|operation|operations|codes|sealed|provider)(?: ([^\n]*?))? -->\n(?:(?:```\n(?s:.*?)\n?```\n|\\|[^\n]*\n)+)?")

// made is what goes under the markers.
type made struct {
	t    *testing.T
	l    language
	show map[string]example
	asks map[string]*exchange
	all  []*exchange
	used map[string]bool
}

func TestDocument(t *testing.T) {
	m := &made{t: t, l: readLanguage(t), show: map[string]example{}, asks: map[string]*exchange{}, all: exchanges(t), used: map[string]bool{}}
	for _, e := range examples(t) {
		m.show[e.name] = e
	}
	for _, x := range m.all {
		m.asks[x.name] = x
	}
	before, err := os.ReadFile(documentPath)
	if err != nil {
		t.Fatal(err)
	}
	after := marker.ReplaceAllStringFunc(string(before), func(block string) string {
		parts := marker.FindStringSubmatch(block)
		head, _, _ := strings.Cut(block, "\n")
		return head + "\n" + m.block(parts[1], parts[2])
	})
	if *update {
		if err := os.WriteFile(documentPath, []byte(after), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if after != string(before) {
		t.Errorf("docs/protocol.md is not what the code makes; %s", again)
	}
	for _, x := range m.all {
		if !strings.Contains(x.name, " ") && !m.used[x.name] && !slices.Contains(varied, x.name) {
			t.Errorf("the document has no example of %s", x.name)
		}
	}
}

// varied are operations that differ from one that is shown by their commit or
// message alone.
var varied = []string{"add_clients", "remove_users", "remove_clients", "reinit", "change_policy", "external_join", "propose", "self_remove", "connection_packages"}

func (m *made) block(what, name string) string {
	switch what {
	case "show":
		e, ok := m.show[name]
		if !ok {
			m.t.Fatalf("no example is named %q", name)
		}
		return fence(m.annotated(e.of, encoded(e.value)))
	case "operation":
		x := m.asks[name]
		if x == nil {
			m.t.Fatalf("no operation is named %q", name)
		}
		m.used[name] = true
		return fence(m.part("body, "+x.bodyType, x.bodyType, x.body) + m.part("answer, "+x.answerType, x.answerType, x.answer))
	case "operations":
		return m.operations(name == "qs")
	case "codes":
		return codes()
	case "provider":
		return fence(provider())
	case "sealed":
		return fence(m.sealed(name))
	}
	m.t.Fatalf("unknown marker %q", what)
	return ""
}

func fence(s string) string { return "```\n" + s + "```\n" }

func (m *made) annotated(of string, data []byte) string {
	_, rows, err := m.l.decode(of, data)
	if err != nil {
		m.t.Fatal(err)
	}
	return annotate(rows)
}

func (m *made) part(title, of string, data []byte) string {
	if len(data) == 0 {
		return title + ": no octets\n"
	}
	return title + ":\n" + m.annotated(of, data)
}

// operations is the table of a service's operations.
func (m *made) operations(queue bool) string {
	var b strings.Builder
	b.WriteString("| operation | number | path | signed by | group state key | price name | body | answer |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n")
	var ops []wire.Operation
	for op := range operationNames {
		if op.IsQueue() == queue {
			ops = append(ops, op)
		}
	}
	slices.Sort(ops)
	for _, op := range ops {
		i := slices.IndexFunc(m.all, func(x *exchange) bool { return x.op == op })
		if i < 0 {
			fmt.Fprintf(&b, "| %s | 0x%04X | `%s` | | | | | |\n", operationNames[op], uint16(op), httpapi.PathOf(op))
			continue
		}
		x := m.all[i]
		key := ""
		if !x.request.GroupStateKey.IsZero() {
			key = "yes"
		}
		price := ""
		if op.PriceName() != "" {
			price = "`" + op.PriceName() + "`"
		}
		by := m.l["AuthType"].names[uint64(x.request.Auth.Type)]
		if op == wire.OpRejoin {
			by = "user, or joiner"
		}
		fmt.Fprintf(&b, "| %s | 0x%04X | `%s` | %s | %s | %s | %s | %s |\n", operationNames[op], uint16(op), httpapi.PathOf(op),
			by, key, price, named(x.bodyType), named(x.answerType))
	}
	return b.String()
}

func named(of string) string {
	if of == "Empty" {
		return "empty"
	}
	return of
}

// codes is the table of error codes.
func codes() string {
	var b strings.Builder
	b.WriteString("| code | number | status | |\n| --- | --- | --- | --- |\n")
	for code := wire.CodeInternal; codeNames[code] != ""; code++ {
		fmt.Fprintf(&b, "| %s | %d | %d | %s |\n", codeNames[code], code, httpapi.StatusOf(code), codeMeanings[code])
	}
	return b.String()
}

// provider is a provider document.
func provider() string {
	p := httpapi.Provider{
		Domain: home, Versions: []wire.Version{wire.Version1}, DS: "https://ds.example.org", QS: "https://qs.example.org", Issuer: "https://issuer.example.org",
		Profiles: []string{httpapi.ProfileName(wire.ProfilePseudonymous)},
		Prices: &tokens.PriceList{
			Classes: map[tokens.Class]tokens.Terms{tokens.Create: {Issuer: "issuer.example.org", TokenType: privacypass.VOPRFRistretto255}},
			Prices:  map[string]tokens.Price{wire.OpCreateGroup.PriceName(): {Class: tokens.Create, Count: 1}},
		},
		Limits: httpapi.Limits{MaxRequest: 512 << 10, MaxMembers: 1024, MaxMessage: 128 << 10, RequestLife: 300, QueueEntries: 10_000, QueueTTL: 30 * 86400, MaxWait: 55},
		Keys:   [][]byte{signer("service").Public()},
	}
	return string(must(p.Marshal())) + "\n"
}
