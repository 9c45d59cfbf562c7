package threatmodel

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write README.md anew")

func TestDocumentIsCurrent(t *testing.T) {
	template, err := os.ReadFile("template.md")
	if err != nil {
		t.Fatal(err)
	}
	want, err := Document(string(template))
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("README.md", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("README.md is not what template.md and the lists make: run go test ./threatmodel -run TestDocumentIsCurrent -update")
	}
}

// TestDocumentRefuses: a template that leaves a list out, or names one twice or
// wrongly, makes no document.
func TestDocumentRefuses(t *testing.T) {
	template, err := os.ReadFile("template.md")
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]string{
		"left out": strings.Replace(string(template), "<!-- list: assets -->", "", 1),
		"twice":    string(template) + "<!-- list: assets -->\n",
		"unknown":  string(template) + "<!-- list: answers -->\n",
	} {
		if _, err := Document(bad); err == nil {
			t.Errorf("%s: a document is made", name)
		}
	}
}
