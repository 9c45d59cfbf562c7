package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// notShown are names that the summary leaves to the page.
var notShown = []string{"paper_mean_rank", "paper_share_on_top", "paper_messages_to_all", "timing_latency_p99", "size_classes"}

// Summary writes the headlines of files as Markdown.
func Summary(w io.Writer, files []*File) error {
	var b strings.Builder
	for _, f := range files {
		fmt.Fprintf(&b, "## %s\n\n| what | value | interval of 95 %% | other design, ratio |\n| --- | ---: | --- | --- |\n", title(f.Name))
		for _, r := range f.headlines() {
			interval, other := "", ""
			if r.Interval && r.Low != r.High {
				interval = format(r.Low) + " to " + format(r.High)
			}
			if r.Baseline != 0 {
				other = fmt.Sprintf("%s, %s times", format(r.Baseline), format(r.Ratio))
			}
			fmt.Fprintf(&b, "| %s | %s %s | %s | %s |\n", r.describe(), r.shown(), r.Unit, interval, other)
		}
		for _, p := range f.provenances() {
			fmt.Fprintf(&b, "\n%s\n", p)
		}
		b.WriteString("\n")
	}
	_, err := io.WriteString(w, strings.TrimRight(b.String(), "\n")+"\n")
	return err
}

// headlines are the results that the summary shows.
func (f *File) headlines() []*Result {
	var out []*Result
	var names []string
	for i := range f.Results {
		name := f.Results[i].Name
		if slices.Contains(names, name) || slices.Contains(notShown, name) {
			continue
		}
		names = append(names, name)
		before := len(out)
		for h := range headlines {
			if at := slices.IndexFunc(f.Results, func(r Result) bool { return headlines[h].fits(&r) }); at >= 0 && headlines[h].name == name {
				out = append(out, &f.Results[at])
			}
		}
		if len(out) == before {
			out = append(out, &f.Results[i])
		}
	}
	return out
}

// describe is a result's title with its parameters.
func (r *Result) describe() string {
	var out []string
	for _, k := range r.parameterNames() {
		if k != "trials" {
			out = append(out, strings.ReplaceAll(k, "_", " ")+" "+r.Parameters[k].Text)
		}
	}
	if len(out) == 0 {
		return title(r.Name)
	}
	return title(r.Name) + " (" + strings.Join(out, ", ") + ")"
}

// shown is the value, marked if it is a bound.
func (r *Result) shown() string {
	if r.AtLeast {
		return "at least " + format(r.Value)
	}
	return format(r.Value)
}

// provenances are the different ones of a file, as sentences.
func (f *File) provenances() []string {
	var out []string
	for _, r := range f.Results {
		p := r.Provenance
		if p == (Provenance{}) {
			continue
		}
		if s := fmt.Sprintf("Made by `%s` on %s at commit %s (%s, %s, %s cores, seed %s).", p.Command, p.Date, p.Commit, p.Go, p.CPU, p.Cores, p.Seed); !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}
