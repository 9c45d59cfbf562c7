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
		fmt.Fprintf(&b, "## %s\n\n", title(f.Name))
		rest := f.writeMatrices(&b)
		if rest == nil {
			for _, p := range f.provenances() {
				fmt.Fprintf(&b, "%s\n\n", p)
			}
			continue
		}
		fmt.Fprintf(&b, "| what | value | interval of 95 %% | other design, ratio |\n| --- | ---: | --- | --- |\n")
		for _, r := range rest.headlines() {
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

// summarised are the matrices that the summary shows; the page has all.
var summarised = []string{"abuse_effects", "abuse_honest_loss", "abuse_links", "abuse_money"}

// writeMatrices writes those figures that are matrices, and returns the file without
// them; nil if nothing is left.
func (f *File) writeMatrices(b *strings.Builder) *File {
	rest := &File{Name: f.Name}
	for _, g := range figures(f.Results) {
		m := g.matrix
		if m == nil {
			for _, r := range g.results {
				rest.Results = append(rest.Results, *r)
			}
			continue
		}
		if !slices.Contains(summarised, g.name) {
			continue
		}
		fmt.Fprintf(b, "%s (%s)\n\n| | %s |\n| --- |%s\n", title(g.name), g.unit, strings.Join(m.columns, " | "), strings.Repeat(" ---: |", len(m.columns)))
		for i, row := range m.rows {
			fmt.Fprintf(b, "| %s |", row)
			for j := range m.columns {
				fmt.Fprintf(b, " %s |", m.text(i, j))
			}
			b.WriteByte('\n')
		}
		b.WriteByte('\n')
	}
	if len(rest.Results) == 0 && len(f.Results) > 0 {
		return nil
	}
	return rest
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
		if k != sampleSize {
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
