package audit

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// WriteTable writes the reports of one scanner as a table: a row for each kind
// with how many of its needles stand in each place, then in which forms, which
// kinds stand together in one record, and which needles stand in several places.
func WriteTable(w io.Writer, reports ...*Report) error {
	if len(reports) == 0 {
		return nil
	}
	s := reports[0].scanner
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(name, looked string, cell func(*Report) string) {
		fmt.Fprintf(t, "%s\t%s\t", name, looked)
		for _, r := range reports {
			fmt.Fprintf(t, "%s\t", cell(r))
		}
		fmt.Fprintln(t)
	}
	row("", "known", func(r *Report) string { return r.Name })
	for i, k := range s.kinds {
		row(string(k), fmt.Sprint(s.looked[i]), func(r *Report) string {
			if n, _ := r.Found(k); n > 0 {
				return fmt.Sprint(n)
			}
			return "-"
		})
	}
	row("files, size", "", func(r *Report) string { return r.Files.String() })
	row("records, size", "", func(r *Report) string { return r.Records.String() })
	if err := t.Flush(); err != nil {
		return err
	}
	for _, r := range reports {
		if err := r.writeDetails(w); err != nil {
			return err
		}
	}
	return writeShared(w, s, reports)
}

func (s Size) String() string {
	switch {
	case s.Number == 0:
		return "-"
	case s.Octets < 10<<10:
		return fmt.Sprintf("%d, %d B", s.Number, s.Octets)
	case s.Octets < 10<<20:
		return fmt.Sprintf("%d, %d KiB", s.Number, s.Octets>>10)
	}
	return fmt.Sprintf("%d, %d MiB", s.Number, s.Octets>>20)
}

func (h Hits) String() string {
	switch {
	case h.Records == 0:
		return fmt.Sprintf("%d in files", h.Files)
	case h.Files == 0:
		return fmt.Sprintf("%d in records", h.Records)
	}
	return fmt.Sprintf("%d in files, %d in records", h.Files, h.Records)
}

// writeDetails writes forms and what stands together.
func (r *Report) writeDetails(w io.Writer) error {
	var b strings.Builder
	for _, k := range r.scanner.kinds {
		found := r.Forms(k)
		if len(found) == 0 {
			continue
		}
		var parts []string
		for f := range Form(forms) {
			if h, ok := found[f]; ok {
				parts = append(parts, fmt.Sprintf("%s %v", f, h))
			}
		}
		fmt.Fprintf(&b, "  %s: %s\n", k, strings.Join(parts, "; "))
	}
	for _, t := range r.Together() {
		var parts []string
		for _, k := range t.Kinds {
			if slices.Contains(t.Several, k) {
				k = "several of " + k
			}
			parts = append(parts, string(k))
		}
		fmt.Fprintf(&b, "  in one record: %s (%d records)\n", strings.Join(parts, ", "), t.Records)
	}
	if r.dropped > 0 {
		fmt.Fprintf(&b, "  in one record: other sets of kinds (%d records)\n", r.dropped)
	}
	if b.Len() == 0 {
		b.WriteString("  nothing\n")
	}
	_, err := fmt.Fprintf(w, "%s shows:\n%s", r.Name, b.String())
	return err
}

func writeShared(w io.Writer, s *Scanner, reports []*Report) error {
	if len(reports) < 2 {
		return nil
	}
	shared := Shared(reports...)
	var parts []string
	for _, k := range s.kinds {
		if n := shared[k]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d of kind %s", n, k))
		}
	}
	if len(parts) == 0 {
		parts = []string{"nothing"}
	}
	_, err := fmt.Fprintf(w, "in more than one place: %s\n", strings.Join(parts, ", "))
	return err
}
