package abuse

import (
	"slices"
	"testing"

	"github.com/pseudods/pseudods/threatmodel"
)

// TestThreatModelNamesScenarios: the catalogue names what is played of it, and what
// is played names what it is of.
func TestThreatModelNamesScenarios(t *testing.T) {
	models := threatmodel.Scenarios()
	for _, m := range models {
		for _, name := range m.Executable {
			if !slices.ContainsFunc(Scenarios, func(s Scenario) bool { return s.Name == name && slices.Contains(s.Models, m.ID) }) {
				t.Errorf("%s names %q, which does not play it", m.ID, name)
			}
		}
	}
	for _, s := range Scenarios {
		for _, id := range s.Models {
			if !slices.ContainsFunc(models, func(m threatmodel.Scenario) bool { return m.ID == id && slices.Contains(m.Executable, s.Name) }) {
				t.Errorf("%s plays %s, which does not name it", s.Name, id)
			}
		}
	}
}
