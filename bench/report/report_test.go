package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// sample is a file of results as the programs write them.
func sample(t testing.TB) []Result {
	t.Helper()
	results, err := Read(strings.NewReader(sampleJSON()))
	if err != nil {
		t.Fatal(err)
	}
	return results
}

func sampleJSON() string {
	var list []map[string]any
	for _, members := range []int{2, 10, 100} {
		for _, payload := range []int{256, 1024} {
			list = append(list, map[string]any{"name": "fanout_deliveries", "members": members, "payload_bytes": payload, "value": 1000 * members, "unit": "deliveries/s",
				"baseline": 500, "ratio": 2 * members, "commit": "abc", "go": "go1.26", "cpu": "a processor", "cores": 2, "seed": 1, "date": "2026-01-02", "command": "pdsbench perf"})
		}
	}
	list = append(list, map[string]any{"name": "idle_memory", "members": 0, "payload_bytes": 0, "value": 1.5, "unit": "octets"})
	for _, window := range []float64{0, 0.1, 10} {
		for _, queues := range []string{"one", "one per group"} {
			list = append(list, map[string]any{"name": "timing_messages_to_top", "parameters": map[string]any{"window_s": window, "queues": queues, "receipts": true, "trials": 60},
				"value": 1 + 10*window, "unit": "messages", "ci_low": 1, "ci_high": 2 + 20*window, "at_least": window == 10})
		}
	}
	b, err := json.Marshal(list)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func TestRead(t *testing.T) {
	results := sample(t)
	if len(results) != 13 {
		t.Fatalf("%d results", len(results))
	}
	if r := results[0]; r.String() != "fanout_deliveries members=2 payload_bytes=256" || r.Interval || r.Low != r.Value || r.Baseline != 500 || r.Provenance.Cores != "2" {
		t.Errorf("%+v", r)
	}
	if r := results[6]; len(r.Parameters) != 0 {
		t.Errorf("members of zero are a parameter: %v", r)
	}
	if r := results[12]; !r.Interval || !r.AtLeast || r.String() != "timing_messages_to_top queues=one per group receipts=true window_s=10" {
		t.Errorf("%+v", r)
	}
}

func TestReadRefuses(t *testing.T) {
	good := `[{"name":"a","unit":"s","value":1}]`
	if _, err := Read(strings.NewReader(good)); err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]string{
		"nothing":             ``,
		"object":              `{"name":"a","unit":"s","value":1}`,
		"no name":             `[{"unit":"s","value":1}]`,
		"no unit":             `[{"name":"a","value":1}]`,
		"no value":            `[{"name":"a","unit":"s"}]`,
		"text as value":       `[{"name":"a","unit":"s","value":"1"}]`,
		"too large a value":   `[{"name":"a","unit":"s","value":1e999}]`,
		"too large a number":  `[{"name":"a","unit":"s","value":1,"x":1e31}]`,
		"list as parameter":   `[{"name":"a","unit":"s","value":1,"x":[1]}]`,
		"parameters no obj":   `[{"name":"a","unit":"s","value":1,"parameters":3}]`,
		"nested parameters":   `[{"name":"a","unit":"s","value":1,"parameters":{"x":{}}}]`,
		"something after it":  good + `[]`,
		"an octet after it":   good + `x`,
		"list of other sorts": `[1]`,
	} {
		if _, err := Read(strings.NewReader(bad)); !errors.Is(err, ErrResults) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for n := range good {
		if _, err := Read(strings.NewReader(good[:n])); !errors.Is(err, ErrResults) {
			t.Errorf("prefix of %d octets: %v", n, err)
		}
	}
	if _, err := ReadFile(filepath.Join(t.TempDir(), "none.json")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(sampleJSON())
	f.Add(`[{"name":"a","unit":"s","value":1e30,"ci_low":-1e30,"ci_high":1e30,"parameters":{"x":1,"y":"<b>"}},{"name":"a","unit":"s","value":0,"parameters":{"x":2}}]`)
	f.Fuzz(func(t *testing.T, s string) {
		results, err := Read(strings.NewReader(s))
		if err != nil {
			if !errors.Is(err, ErrResults) {
				t.Fatal(err)
			}
			return
		}
		if err := Page(io.Discard, []*File{{"fuzz", results}}); err != nil {
			t.Error(err)
		}
		if err := Summary(io.Discard, []*File{{"fuzz", results}}); err != nil {
			t.Error(err)
		}
		if err := WriteChanges(io.Discard, Compare(results, results), true); err != nil {
			t.Error(err)
		}
	})
}

func page(t testing.TB, files ...*File) string {
	t.Helper()
	var b bytes.Buffer
	if err := Page(&b, files); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestPageStandsAlone: one file, the same each time, with plots that are well
// formed, and nothing that is fetched.
func TestPageStandsAlone(t *testing.T) {
	file := &File{"perf", sample(t)}
	p := page(t, file)
	if p != page(t, file) {
		t.Error("the same results make different pages")
	}
	plots := regexp.MustCompile(`(?s)<svg.*?</svg>`).FindAllString(p, -1)
	if len(plots) != 2 {
		t.Errorf("%d plots", len(plots))
	}
	for _, s := range plots {
		d := xml.NewDecoder(strings.NewReader(s))
		for {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("a plot is no XML: %v", err)
			}
		}
	}
	for _, bad := range []string{"<script", "<link", "<img", "@import", "url(", "<?xml"} {
		if strings.Contains(p, bad) {
			t.Errorf("the page has %s", bad)
		}
	}
	for _, ref := range regexp.MustCompile(`(?:href|src)="([^"]*)"`).FindAllStringSubmatch(p, -1) {
		if !strings.HasPrefix(ref[1], "#") {
			t.Errorf("the page refers to %s", ref[1])
		}
	}
	ids := map[string]bool{}
	for _, id := range regexp.MustCompile(`<section id="([^"]*)"`).FindAllStringSubmatch(p, -1) {
		if ids[id[1]] {
			t.Errorf("id %s is there twice", id[1])
		}
		ids[id[1]] = true
	}
	for _, want := range []string{"Throughput, latency and cost", "Durable deliveries", "100000", "at least 101", "1 to 202", "abc", "other design"} {
		if !strings.Contains(p, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// TestPageEscapes: texts in results stay texts, in plots too.
func TestPageEscapes(t *testing.T) {
	hostile := `<script>"&`
	var results []Result
	for x := range 3 {
		for _, s := range []string{hostile, "b"} {
			results = append(results, Result{Name: hostile, Unit: hostile, Value: float64(x + 1), Low: 1, High: 9, Interval: true,
				Parameters: map[string]Parameter{"x": {fmt.Sprint(x), float64(x), true}, hostile: {Text: s}}, Provenance: Provenance{Command: hostile}})
		}
	}
	p := page(t, &File{hostile, results})
	if strings.Contains(p, "<script") {
		t.Error("a text became an element")
	}
	if !strings.Contains(p, "<svg") {
		t.Error("nothing was plotted")
	}
}

// TestOddValues: what would break a scale breaks no page.
func TestOddValues(t *testing.T) {
	for name, values := range map[string][]float64{
		"zeros": {0, 0, 0}, "negative": {-1, -100, 5}, "wide": {1e-9, 1, 1e9}, "equal": {7, 7, 7}, "all huge": {1e30, 1e30, 1e30}, "tiny": {1e-300, 2e-300, 1e-320}, "huge": {1e29, 1e30, 1}, "with zero": {0, 1, 1e6},
	} {
		var results []Result
		for x, v := range values {
			results = append(results, Result{Name: "odd", Unit: "s", Value: v, Low: v - 1e9, High: v + 1, Interval: true, Parameters: map[string]Parameter{"x": {fmt.Sprint(x), float64(x), true}}})
		}
		if p := page(t, &File{"odd", results}); !strings.Contains(p, "<svg") {
			t.Errorf("%s: no plot", name)
		}
	}
	if p := page(t, &File{"empty", nil}); !strings.Contains(p, "Empty") {
		t.Error("a file without results has no chapter")
	}
}

func TestArrange(t *testing.T) {
	f := figures(sample(t))
	if len(f) != 3 || f[0].x != "members" || len(f[0].panels) != 1 || len(f[0].panels[0].curves) != 2 || f[2].x != "window_s" || f[2].fixed != "receipts true, trials 60" {
		t.Fatalf("%+v", f)
	}
	if f[1].x != "" || len(f[1].panels) != 0 {
		t.Error("a lone figure is plotted")
	}
}

func TestSummary(t *testing.T) {
	var b bytes.Buffer
	if err := Summary(&b, []*File{{"perf", sample(t)}}); err != nil {
		t.Fatal(err)
	}
	want := "## Throughput, latency and cost\n\n" +
		"| what | value | interval of 95 % | other design, ratio |\n| --- | ---: | --- | --- |\n" +
		"| Durable deliveries, from sender to all queues (members 100, payload bytes 1024) | 100000 deliveries/s |  | 500, 200 times |\n" +
		"| Idle memory | 1.5 octets |  |  |\n" +
		"| Messages of a group until all of its members rank on top (queues one, receipts true, window s 0) | 1 messages | 1 to 2 |  |\n" +
		"\nMade by `pdsbench perf` on 2026-01-02 at commit abc (go1.26, a processor, 2 cores, seed 1).\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestCompare(t *testing.T) {
	with := func(name string, interval bool, values ...float64) (out []Result) {
		for _, v := range values {
			out = append(out, Result{Name: name, Unit: "s", Value: v, Low: v - 1, High: v + 1, Interval: interval, Parameters: map[string]Parameter{"trials": {fmt.Sprint(v), v, true}}})
		}
		return out
	}
	join := func(lists ...[]Result) (out []Result) {
		for _, l := range lists {
			out = append(out, l...)
		}
		return out
	}
	before := join(with("apart", true, 10), with("meet", true, 10), with("lone", false, 10), with("runs", false, 10, 11, 10.5, 10.2, 10.8), with("noise", false, 10, 20, 15, 12, 18),
		with("gone", false, 1), with("few", false, 1, 2))
	after := join(with("apart", true, 13), with("meet", true, 11), with("lone", false, 20), with("runs", false, 8, 8.1, 8.2, 8.3, 8.4), with("noise", false, 11, 19, 14, 13, 17),
		with("new", false, 1), with("few", false, 3, 4))
	want := map[string]Verdict{"apart": Changed, "meet": Unchanged, "lone": Unsure, "runs": Changed, "noise": Unchanged, "gone": OnlyOld, "new": OnlyNew, "few": Unsure}
	changes := Compare(before, after)
	if len(changes) != len(want) {
		t.Fatalf("%d changes", len(changes))
	}
	for _, c := range changes {
		if c.Verdict != want[c.Result.Name] {
			t.Errorf("%s: %s (%s)", c.Result.Name, c.Verdict, c.Why)
		}
	}
	var some, all bytes.Buffer
	if err := errors.Join(WriteChanges(&some, changes, false), WriteChanges(&all, changes, true)); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(some.String(), "meet") || !strings.Contains(all.String(), "meet") || !strings.Contains(some.String(), "+30.0 %") || !strings.Contains(some.String(), "2 changed") {
		t.Errorf("some:\n%s\nall:\n%s", some.String(), all.String())
	}
}
