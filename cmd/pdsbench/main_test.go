package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestUsage(t *testing.T) {
	for _, tc := range []struct {
		args []string
		code int
		says string
	}{
		{nil, 2, "usage: pdsbench"},
		{[]string{"nothing"}, 2, "perf"},
		{[]string{"perf", "-h"}, 0, "fanout,send,commit,server,queue,redeem,idle,stores,loaded,size"},
		{[]string{"perf", "extra"}, 2, ""},
		{[]string{"perf", "--only", "nothing"}, 1, `no scenario "nothing"`},
		{[]string{"perf", "--store", "nothing"}, 1, `no store "nothing"`},
		{[]string{"perf", "--postgres", "postgres:///x"}, 2, ""},
		{[]string{"report"}, 2, "usage: pdsbench report"},
		{[]string{"report", "nothing.json"}, 1, "nothing.json"},
		{[]string{"compare", "one.json"}, 2, "usage: pdsbench compare"},
		{[]string{"compare", "nothing.json", "nothing.json"}, 1, "nothing.json"},
		{[]string{"link", "-h"}, 0, "paper,timing,size,snapshot"},
		{[]string{"abuse", "-h"}, 0, "group-flooding"},
		{[]string{"abuse", "extra"}, 2, ""},
		{[]string{"abuse", "--only", "nothing"}, 1, `no scenario "nothing"`},
		{[]string{"abuse", "--defence", "nothing"}, 1, `no defence "nothing"`},
		{[]string{"link", "extra"}, 2, ""},
		{[]string{"link", "--only", "nothing"}, 1, `no experiment "nothing"`},
	} {
		var stderr bytes.Buffer
		if code := run(tc.args, &bytes.Buffer{}, &stderr); code != tc.code || !strings.Contains(stderr.String(), tc.says) {
			t.Errorf("%q: exit %d, %q", tc.args, code, stderr.String())
		}
	}
}

// TestReports measures a little, writes the results, and makes a page, a summary
// and a comparison of them.
func TestReports(t *testing.T) {
	dir := t.TempDir()
	results, page, summary := filepath.Join(dir, "link.json"), filepath.Join(dir, "page.html"), filepath.Join(dir, "summary.md")
	var stdout, stderr bytes.Buffer
	for _, args := range [][]string{
		{"link", "--quick", "--only", "size", "--json", results},
		{"report", "--html", page, "--summary", summary, results},
		{"compare", "--all", results, results},
	} {
		if code := run(args, &stdout, &stderr); code != 0 {
			t.Fatalf("%q: exit %d, %s", args, code, stderr.String())
		}
	}
	for path, want := range map[string]string{page: "<svg", summary: "padme-256"} {
		if b, err := os.ReadFile(path); err != nil || !strings.Contains(string(b), want) {
			t.Errorf("%s lacks %q: %v", path, want, err)
		}
	}
	if got := stdout.String(); !strings.Contains(got, "no difference shown") || strings.Contains(got, " changed") {
		t.Errorf("compared with itself:\n%s", got)
	}
}

// TestDocumentedResults: what documents quote, and the page, are those of the
// results that are kept. "make report" writes them anew.
func TestDocumentedResults(t *testing.T) {
	paths, err := filepath.Glob("../../bench/results/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatalf("%d files of results: %v", len(paths), err)
	}
	for flag, path := range map[string]string{"--tables": "../../docs/research.md", "--brief": "../../README.md", "--html": "../../bench/results/index.html"} {
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		again := filepath.Join(t.TempDir(), "again")
		if err := os.WriteFile(again, want, 0o600); err != nil {
			t.Fatal(err)
		}
		var stderr bytes.Buffer
		if code := run(append([]string{"report", flag, again}, paths...), &bytes.Buffer{}, &stderr); code != 0 {
			t.Fatal(stderr.String())
		}
		if got, err := os.ReadFile(again); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what bench/results say: run make report (%v)", path, err)
		}
	}
}
