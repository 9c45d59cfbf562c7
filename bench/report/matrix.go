package report

import (
	"bytes"
	"fmt"
	"html"
	"html/template"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// matrix is a figure that is given for scenarios under defences: rows and columns in
// the order in which they first come. A cell that was not measured, or has no value
// as it is per effect and there was none, is nil.
type matrix struct {
	rows, columns []string
	cells         [][]*Result
}

// newMatrix returns the results as a matrix, or nil if they are none.
func newMatrix(results []*Result) *matrix {
	m := &matrix{}
	for _, r := range results {
		row, inRow := r.Parameters["scenario"]
		column, inColumn := r.Parameters["defence"]
		if !inRow || !inColumn {
			return nil
		}
		if !slices.Contains(m.rows, row.Text) {
			m.rows = append(m.rows, row.Text)
		}
		if !slices.Contains(m.columns, column.Text) {
			m.columns = append(m.columns, column.Text)
		}
	}
	// Controls come before the defence that they are run under: they go last.
	if i := slices.Index(m.columns, controlColumn); i >= 0 {
		m.columns = append(slices.Delete(m.columns, i, i+1), controlColumn)
	}
	m.cells = make([][]*Result, len(m.rows))
	for i := range m.cells {
		m.cells[i] = make([]*Result, len(m.columns))
	}
	for _, r := range results {
		cell := &m.cells[slices.Index(m.rows, r.Parameters["scenario"].Text)][slices.Index(m.columns, r.Parameters["defence"].Text)]
		if *cell != nil {
			return nil
		}
		*cell = r
	}
	return m
}

const controlColumn = "control"

// text is a cell for people.
func (m *matrix) text(row, column int) string {
	if r := m.cells[row][column]; r != nil {
		return format(r.Value)
	}
	return ""
}

// most is the largest value of a row.
func (m *matrix) most(row int) (most float64) {
	for _, r := range m.cells[row] {
		if r != nil {
			most = max(most, r.Value)
		}
	}
	return most
}

type matrixView struct {
	Columns []string
	Rows    []matrixRow
}

type matrixRow struct {
	Name  string
	Cells []matrixCell
}

type matrixCell struct {
	Text  string
	Style template.CSS
}

// view shades each cell by its share of the row's largest value.
func (m *matrix) view() *matrixView {
	v := &matrixView{Columns: m.columns}
	for i, name := range m.rows {
		row, most := matrixRow{Name: name}, m.most(i)
		for j, r := range m.cells[i] {
			c := matrixCell{Text: m.text(i, j)}
			if r != nil && most > 0 && r.Value > 0 {
				c.Style = template.CSS(fmt.Sprintf("background:rgba(213,94,0,%.2f)", 0.05+0.55*math.Sqrt(r.Value/most)))
			}
			row.Cells = append(row.Cells, c)
		}
		v.Rows = append(v.Rows, row)
	}
	return v
}

const barWidth, barHeight = 12 * vg.Centimeter, 6.5 * vg.Centimeter

// svg draws a row as bars.
func (m *matrix) svg(row int, unit, of string) (template.HTML, error) {
	pl := plot.New()
	pl.Y.Label.Text = unit
	var values plotter.Values
	for _, r := range m.cells[row] {
		if r == nil {
			values = append(values, 0)
			continue
		}
		values = append(values, r.Value)
	}
	bars, err := plotter.NewBarChart(values, 8*vg.Millimeter)
	if err != nil {
		return "", fmt.Errorf("report: %w", err)
	}
	pl.X.Tick.Label.Font.Size = vg.Points(8)
	bars.Color, bars.LineStyle.Width = palette[0], 0
	pl.Add(bars)
	pl.NominalX(m.columns...)
	pl.Y.Min = 0
	widen(&pl.Y)
	canvas := vgsvg.New(barWidth, barHeight)
	pl.Draw(draw.Crop(draw.New(canvas), margin, -2*margin, margin, -margin))
	return inline(canvas, title(of)+": "+m.rows[row])
}

// inline returns what was drawn as an svg element with a name.
func inline(canvas *vgsvg.Canvas, name string) (template.HTML, error) {
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return "", err
	}
	// What stands before the element belongs to a file of its own.
	i := bytes.Index(b.Bytes(), []byte("<svg"))
	if i < 0 {
		return "", fmt.Errorf("report: the plot of %s is no SVG", name)
	}
	return template.HTML(`<svg role="img" aria-label="` + html.EscapeString(name) + `"` + string(b.Bytes()[i+len("<svg"):])), nil
}
