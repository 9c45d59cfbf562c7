package report

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// ErrTable: a document's table marker is not understood, or nothing fits it.
var ErrTable = errors.New("report: table")

var (
	tableStart = regexp.MustCompile(`^<!-- table (\S+)((?: \w+=\S+)*) -->$`)
	tableEnd   = "<!-- /table -->"
)

// FillTables writes the tables of a Markdown document anew. A table stands
// between two lines:
//
//	<!-- table timing_messages_to_top rows=users,queues columns=window_s where=attack:likelihood,members:2 -->
//	<!-- /table -->
//
// It shows the results of the name for which the parameters after where have these
// values: a row for each combination of the parameters after rows, and a column
// for each value of the one after columns, if there is one. A blank in a value is
// written as an underscore. It fails with [ErrTable] if nothing fits, or two
// results fit one cell.
func FillTables(document string, results []Result) (string, error) {
	var out strings.Builder
	var marker string // of the table being skipped
	for line := range strings.Lines(document) {
		text := strings.TrimRight(line, "\n")
		m := tableStart.FindStringSubmatch(text)
		switch {
		case m != nil && marker != "":
			return "", fmt.Errorf("%w: %q begins before %q ends", ErrTable, text, marker)
		case m != nil:
			t, err := newTable(m[1], m[2])
			if err == nil {
				err = t.fill(results)
			}
			if err != nil {
				return "", fmt.Errorf("%w: %q: %w", ErrTable, text, err)
			}
			out.WriteString(line + t.markdown())
			marker = text
		case strings.HasPrefix(text, "<!-- table"):
			return "", fmt.Errorf("%w: %q", ErrTable, text)
		case text == tableEnd:
			marker = ""
			out.WriteString(line)
		case marker == "":
			out.WriteString(line)
		}
	}
	if marker != "" {
		return "", fmt.Errorf("%w: %q does not end", ErrTable, marker)
	}
	return out.String(), nil
}

type table struct {
	name    string
	rows    []string
	column  string
	where   map[string]string
	unit    string
	keys    [][]Parameter // of the rows
	columns []Parameter
	cells   map[string]*Result
}

func newTable(name, attributes string) (*table, error) {
	t := &table{name: name, where: map[string]string{}, cells: map[string]*Result{}}
	for _, a := range strings.Fields(attributes) {
		k, v, _ := strings.Cut(a, "=")
		switch k {
		case "rows":
			t.rows = strings.Split(v, ",")
		case "columns":
			t.column = v
		case "where":
			for _, w := range strings.Split(v, ",") {
				p, x, ok := strings.Cut(w, ":")
				if !ok {
					return nil, fmt.Errorf("%q is no condition", w)
				}
				t.where[p] = strings.ReplaceAll(x, "_", " ")
			}
		default:
			return nil, fmt.Errorf("%q is unknown", k)
		}
	}
	return t, nil
}

func (t *table) fill(results []Result) error {
	for i := range results {
		r := &results[i]
		if r.Name != t.name {
			continue
		}
		fits := true
		for k, v := range t.where {
			fits = fits && strings.ReplaceAll(r.Parameters[k].Text, "_", " ") == v
		}
		if !fits {
			continue
		}
		var key []Parameter
		for _, k := range t.rows {
			key = append(key, r.Parameters[k])
		}
		column := r.Parameters[t.column]
		if !slices.ContainsFunc(t.keys, func(k []Parameter) bool { return slices.Equal(k, key) }) {
			t.keys = append(t.keys, key)
		}
		if !slices.Contains(t.columns, column) {
			t.columns = append(t.columns, column)
		}
		at := cell(key, column)
		if t.cells[at] != nil {
			return fmt.Errorf("%s and %s stand in one cell", t.cells[at], r)
		}
		t.cells[at], t.unit = r, r.Unit
	}
	if len(t.cells) == 0 {
		return errors.New("no result fits")
	}
	slices.SortFunc(t.keys, func(a, b []Parameter) int { return slices.CompareFunc(a, b, compareParameters) })
	slices.SortFunc(t.columns, compareParameters)
	return nil
}

func cell(key []Parameter, column Parameter) string { return fmt.Sprint(key, column) }

func (t *table) markdown() string {
	var b strings.Builder
	head := func(s string) { b.WriteString("| " + s + " ") }
	for _, k := range t.rows {
		head(strings.ReplaceAll(k, "_", " "))
	}
	for _, c := range t.columns {
		if t.column == "" {
			head(t.unit)
		} else {
			head(strings.ReplaceAll(t.column, "_", " ") + " " + c.Text)
		}
	}
	b.WriteString("|\n" + strings.Repeat("| --- ", len(t.rows)) + strings.Repeat("| ---: ", len(t.columns)) + "|\n")
	for _, key := range t.keys {
		for _, p := range key {
			head(p.Text)
		}
		for _, c := range t.columns {
			r := t.cells[cell(key, c)]
			switch {
			case r == nil:
				head("")
			case r.Interval && r.Low != r.High:
				head(fmt.Sprintf("%s (%s to %s)", r.shown(), format(r.Low), format(r.High)))
			default:
				head(r.shown())
			}
		}
		b.WriteString("|\n")
	}
	return b.String()
}
