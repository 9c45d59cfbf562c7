package abuse

import (
	"cmp"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestAttacksWork: an attack that never works proves nothing. Each works without a
// defence, or where the protocol stops it by itself, in the control run; and nothing
// happens without the attack. A scenario in brief ends in seconds.
func TestAttacksWork(t *testing.T) {
	for i := range Scenarios {
		s := &Scenarios[i]
		t.Run(s.Name, func(t *testing.T) {
			under, at := "none", "none"
			if s.Control != "" {
				under, at = cmp.Or(s.ControlUnder, "none"), Control
			}
			cells, err := Run(t.Context(), Options{Only: []string{s.Name}, Defences: []string{under}, Quick: true, Seed: 1})
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range cells {
				if c.Sweep == "" && c.Defence == at && c.Attack.Effects == 0 {
					t.Errorf("no effect under %s", c.Defence)
				}
				if c.Idle.Effects != 0 {
					t.Errorf("%d effects without the attack", c.Idle.Effects)
				}
			}
		})
	}
}

// TestSameSeed: all figures but those that are measured follow from the seed.
func TestSameSeed(t *testing.T) {
	var runs [2][]Figure
	for i := range runs {
		cells, err := Run(t.Context(), Options{Only: []string{"connection-spam"}, Defences: []string{"none", "identity", "default", "work"}, Quick: true, Seed: 7})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cells {
			for _, f := range c.Figures() {
				if !slices.Contains(Measured, f.Name) {
					runs[i] = append(runs[i], f)
				}
			}
		}
	}
	if len(runs[0]) == 0 || len(runs[0]) != len(runs[1]) {
		t.Fatalf("%d and %d figures", len(runs[0]), len(runs[1]))
	}
	for i, f := range runs[0] {
		if g := runs[1][i]; f.Name != g.Name || f.Value != g.Value {
			t.Errorf("%s %v: %v and %v", f.Name, f.Parameters, f.Value, g.Value)
		}
	}
}

// TestNames: scenarios and defences are told apart by their names, and described.
func TestNames(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range Scenarios {
		if seen[s.Name] || s.Name == "" || len(s.Models) == 0 || s.Attacker == "" || s.Load == "" || s.Effect == "" || s.Window == 0 || s.Quick == 0 || s.Quick > s.Window {
			t.Errorf("scenario %q is there twice, or something of it is missing", s.Name)
		}
		seen[s.Name] = true
	}
	for _, k := range Defences {
		if seen[k.Name] || k.Name == Control || k.Summary == "" {
			t.Errorf("defence %q is there twice, or is not described", k.Name)
		}
		seen[k.Name] = true
		if d := k.New(); k.Foreign && d.Traits().Limits {
			t.Errorf("defence %q is foreign and switches the product's limits on", k.Name)
		}
	}
}

// TestResearchShowsTheExample: the worked example of the documentation is the one
// that is compiled and run, and the documentation names all defences.
func TestResearchShowsTheExample(t *testing.T) {
	doc, err := os.ReadFile("../../docs/research.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(source), "// begin of the example in docs/research.md\n\n")
	code, _, found := strings.Cut(rest, "\n// end of the example")
	if !found || !strings.Contains(string(doc), "```go\n"+strings.TrimRight(code, "\n")+"\n```\n") {
		t.Error("docs/research.md does not hold the example")
	}
	for _, k := range Defences {
		if !strings.Contains(string(doc), "| `"+k.Name+"` |") {
			t.Errorf("docs/research.md does not name the defence %q", k.Name)
		}
	}
}
