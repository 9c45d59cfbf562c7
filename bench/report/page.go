package report

import (
	_ "embed"
	"html/template"
	"io"
	"slices"
	"strings"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// view is what the template shows.
type view struct{ Chapters []chapterView }

type chapterView struct {
	ID, Title   string
	Provenances []string
	Figures     []figureView
}

type figureView struct {
	ID, Title, Name, Unit, Fixed string
	Legend                       []legendView
	Plots                        []plotView
	Columns                      []string
	Intervals, Baseline          bool
	Rows                         []rowView
	Long                         bool
	Matrix                       *matrixView
}

type plotView struct {
	Title string
	SVG   template.HTML
}

type legendView struct{ Label, Colour string }

type rowView struct {
	Cells                            []string
	Value, Interval, Baseline, Ratio string
}

// longTable is from how many rows on a table is folded.
const longTable = 16

// Page writes a page about files. It needs nothing beside itself.
func Page(w io.Writer, files []*File) error {
	var v view
	for _, f := range files {
		c := chapterView{ID: slug(f.Name), Title: title(f.Name), Provenances: quoted(f.provenances())}
		for _, g := range figures(f.Results) {
			fv, err := g.view(c.ID)
			if err != nil {
				return err
			}
			c.Figures = append(c.Figures, fv)
		}
		v.Chapters = append(v.Chapters, c)
	}
	return pageTemplate.Execute(w, v)
}

// quoted has quotation marks where Markdown marks code.
func quoted(texts []string) []string {
	for i, t := range texts {
		texts[i] = strings.Replace(strings.Replace(t, "`", "“", 1), "`", "”", 1)
	}
	return texts
}

func (f *figure) view(chapter string) (figureView, error) {
	v := figureView{ID: chapter + "-" + slug(f.name), Title: title(f.name), Name: f.name, Unit: f.unit, Fixed: f.fixed, Long: len(f.results) > longTable}
	for i := range f.panels {
		s, err := f.svg(&f.panels[i])
		if err != nil {
			return v, err
		}
		v.Plots = append(v.Plots, plotView{f.panels[i].title, s}) // its texts are escaped by the SVG writer
	}
	if f.matrix != nil {
		return v, f.viewMatrix(&v)
	}
	if len(f.series) > 0 {
		for i, l := range f.labels() {
			v.Legend = append(v.Legend, legendView{l, colour(i % maxCurves)})
		}
	}
	for _, k := range f.varying {
		v.Columns = append(v.Columns, strings.ReplaceAll(k, "_", " "))
	}
	for _, r := range f.results {
		row := rowView{Value: r.shown()}
		for _, k := range f.varying {
			row.Cells = append(row.Cells, r.Parameters[k].Text)
		}
		if r.Interval && r.Low != r.High {
			v.Intervals = true
			row.Interval = format(r.Low) + " to " + format(r.High)
		}
		if r.Baseline != 0 {
			v.Baseline = true
			row.Baseline, row.Ratio = format(r.Baseline), format(r.Ratio)
		}
		v.Rows = append(v.Rows, row)
	}
	return v, nil
}

// plotted are the matrices that are drawn, too.
var plotted = []string{"abuse_effects"}

func (f *figure) viewMatrix(v *figureView) error {
	v.Matrix = f.matrix.view()
	for row := range f.matrix.rows {
		if !slices.Contains(plotted, f.name) {
			break
		}
		s, err := f.matrix.svg(row, f.unit, f.name)
		if err != nil {
			return err
		}
		v.Plots = append(v.Plots, plotView{f.matrix.rows[row], s})
	}
	return nil
}

// slug is a name as an identifier of an element.
func slug(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '-'
	}, strings.ToLower(name))
}

func colour(i int) string {
	const hex = "0123456789abcdef"
	c := palette[i]
	b := []byte{'#'}
	for _, x := range []uint8{c.R, c.G, c.B} {
		b = append(b, hex[x>>4], hex[x&15])
	}
	return string(b)
}
