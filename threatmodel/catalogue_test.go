package threatmodel

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// functions returns the test functions of a package by its folder.
func functions(t *testing.T, pkg string) []string {
	t.Helper()
	dir := filepath.Join("..", filepath.FromSlash(pkg))
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Errorf("package %s: %v", pkg, err)
	}
	var out []string
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, f.Name()), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && (strings.HasPrefix(fn.Name.Name, "Test") || strings.HasPrefix(fn.Name.Name, "Fuzz")) {
				out = append(out, fn.Name.Name)
			}
		}
	}
	return out
}

// TestNamedTestsExist looks up every test that a scenario or an invariant names.
func TestNamedTestsExist(t *testing.T) {
	known := map[string][]string{}
	check := func(by string, tests []TestID) {
		for _, id := range tests {
			names, ok := known[id.Package]
			if !ok {
				names = functions(t, id.Package)
				known[id.Package] = names
			}
			if !slices.Contains(names, id.Name) {
				t.Errorf("%s names %s, which does not exist", by, id)
			}
		}
	}
	for _, s := range Scenarios() {
		check(s.ID, s.Tests)
	}
	for _, i := range Invariants {
		check(string(i.ID), i.Tests)
	}
	if len(known) < 10 {
		t.Fatalf("tests of %d packages are named: something is wrong with the lists", len(known))
	}
}

// TestScenariosAreWhole: each has texts, source, status, and tests or a reason
// why there are none.
func TestScenariosAreWhole(t *testing.T) {
	ids := map[string]bool{}
	id := regexp.MustCompile(`^S[0-9]{2}$`)
	for _, s := range Scenarios() {
		if err := s.Validate(); err != nil {
			t.Error(err)
		}
		if !id.MatchString(s.ID) || ids[s.ID] {
			t.Errorf("%s is not an id, or there twice", s.ID)
		}
		ids[s.ID] = true
	}
	for n := range len(ids) {
		if want := "S" + string(rune('0'+(n+1)/10)) + string(rune('0'+(n+1)%10)); !ids[want] {
			t.Errorf("there is no %s", want)
		}
	}
}

// TestEverythingIsUsed: no adversary, asset, mitigation or invariant is listed in
// vain, and none twice.
func TestEverythingIsUsed(t *testing.T) {
	used := map[string]bool{}
	for _, s := range Scenarios() {
		for _, ids := range [][]string{texts(s.Adversaries), texts(s.Assets), texts(s.Mitigations), texts(s.Invariants)} {
			for _, id := range ids {
				used[id] = true
			}
		}
	}
	var all []string
	for _, a := range Adversaries {
		all = append(all, string(a.ID))
	}
	for _, a := range Assets {
		all = append(all, string(a.ID))
	}
	for _, m := range Mitigations {
		all = append(all, string(m.ID))
	}
	for _, i := range Invariants {
		all = append(all, string(i.ID))
		if len(i.Tests) == 0 {
			t.Errorf("%s names no test", i.ID)
		}
	}
	slices.Sort(all)
	for n, id := range all {
		if !used[id] && id != "INV-01" && id != "INV-02" {
			t.Errorf("no scenario names %s", id)
		}
		if n > 0 && all[n-1] == id {
			t.Errorf("%s is there twice", id)
		}
	}
}

// TestReferencesInTextsExist: S, M and INV numbers in texts lead somewhere.
func TestReferencesInTextsExist(t *testing.T) {
	document, err := os.ReadFile("template.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(document)
	for _, s := range Scenarios() {
		text += s.Attack + s.Defence + s.Residual + s.NoTest
	}
	for _, m := range Mitigations {
		text += m.What + m.Price
	}
	for _, i := range Invariants {
		text += i.Limits
	}
	for _, ref := range regexp.MustCompile(`\b(S[0-9]{2}|M[0-9]{2}|INV-[0-9]{2})\b`).FindAllString(text, -1) {
		if !slices.ContainsFunc(Scenarios(), func(s Scenario) bool { return s.ID == ref }) &&
			!slices.ContainsFunc(Mitigations, func(m Mitigation) bool { return string(m.ID) == ref }) &&
			!slices.ContainsFunc(Invariants, func(i Invariant) bool { return string(i.ID) == ref }) {
			t.Errorf("%s is mentioned and does not exist", ref)
		}
	}
}

func TestValidateFinds(t *testing.T) {
	good := Scenarios()[0]
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Scenario){
		"no test and no reason": func(s *Scenario) { s.Tests, s.NoTest = nil, "" },
		"no residual risk":      func(s *Scenario) { s.Residual = "" },
		"no source":             func(s *Scenario) { s.Sources = nil },
		"no status":             func(s *Scenario) { s.Status = 0 },
		"unknown adversary":     func(s *Scenario) { s.Adversaries = []AdversaryID{"weather"} },
		"unknown mitigation":    func(s *Scenario) { s.Mitigations = []MitigationID{"M99"} },
	} {
		s := good
		change(&s)
		if s.Validate() == nil {
			t.Errorf("%s: found nothing", name)
		}
	}
}
