package report

import (
	"fmt"
	"html/template"
	"image/color"
	"math"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// palette is that of Okabe and Ito, which people with colour blindness can tell
// apart; it ends where maxCurves does.
var palette = [maxCurves]color.RGBA{{0, 114, 178, 255}, {213, 94, 0, 255}, {0, 158, 115, 255}, {204, 121, 167, 255}, {230, 159, 0, 255}, {86, 180, 233, 255}}

var shapes = [maxCurves]draw.GlyphDrawer{draw.CircleGlyph{}, draw.BoxGlyph{}, draw.TriangleGlyph{}, draw.PyramidGlyph{}, draw.RingGlyph{}, draw.SquareGlyph{}}

const (
	plotWidth, plotHeight = 12 * vg.Centimeter, 8 * vg.Centimeter
	margin                = 2 * vg.Millimeter
)

// bars are points with intervals.
type bars struct {
	plotter.XYs
	plotter.YErrors
}

// svg draws a panel, as an svg element.
func (f *figure) svg(p *panel) (template.HTML, error) {
	pl := plot.New()
	pl.X.Label.Text = axisName(f.x)
	pl.Y.Label.Text = f.unit
	pl.Add(plotter.NewGrid())
	scale := f.axis(pl)
	logY := !f.named && f.spread(p)
	if logY {
		pl.Y.Scale, pl.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	}
	labels := f.labels()
	for _, c := range p.curves {
		if err := f.drawCurve(pl, &c, scale, logY, indexOf(labels, c.label)%maxCurves); err != nil {
			return "", err
		}
	}
	if !logY && pl.Y.Min > 0 && pl.Y.Min < pl.Y.Max {
		pl.Y.Min = 0
	}
	if f.named {
		f.alike(pl)
	}
	widen(&pl.X)
	widen(&pl.Y)
	canvas := vgsvg.New(plotWidth, plotHeight)
	// Browsers take other fonts than the plot was measured with: leave some room.
	pl.Draw(draw.Crop(draw.New(canvas), margin, -2*margin, margin, -margin))
	return inline(canvas, strings.TrimSuffix(title(f.name)+": "+p.title, ": "))
}

// alike gives all panels with names the same axes, so that they can be compared.
func (f *figure) alike(pl *plot.Plot) {
	pl.X.Min, pl.X.Max = -0.3, float64(len(f.xs))-0.4
	pl.X.Tick.Label.Font.Size = vg.Points(8)
	pl.Y.Min, pl.Y.Max = 0, 0
	for _, r := range f.results {
		pl.Y.Min, pl.Y.Max = min(pl.Y.Min, r.Low), max(pl.Y.Max, r.High)
	}
	// Halves, so that zero is among the ticks.
	pl.Y.Min, pl.Y.Max = math.Floor(2*pl.Y.Min)/2, math.Ceil(2*pl.Y.Max)/2
}

// axis sets up the horizontal axis and returns where values stand on it. Few
// values stand side by side, since they seldom are a scale; many are one.
func (f *figure) axis(pl *plot.Plot) func(Parameter) float64 {
	if len(f.xs) > 8 && !f.named {
		if low, high := f.xs[0].Number, f.xs[len(f.xs)-1].Number; logarithmic(low, high) {
			pl.X.Scale, pl.X.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
		}
		return func(x Parameter) float64 { return x.Number }
	}
	var names []string
	place := map[string]float64{}
	for i, x := range f.xs {
		names = append(names, x.Text)
		place[x.Text] = float64(i)
	}
	pl.NominalX(names...)
	pl.X.Padding = 4 * vg.Millimeter
	return func(x Parameter) float64 { return place[x.Text] }
}

// spread reports whether the values of a panel take a logarithmic scale.
func (f *figure) spread(p *panel) bool {
	low, high := math.Inf(1), 0.0
	for _, c := range p.curves {
		for _, r := range c.points {
			low, high = min(low, r.Value), max(high, r.Value)
		}
	}
	return logarithmic(low, high)
}

func logarithmic(low, high float64) bool { return low > tiny && high/low > 30 && high/low < 1e12 }

// tiny is what counts as zero on an axis.
const tiny = 1e-30

// widen gives an axis a range that its ticks can divide.
func widen(a *plot.Axis) {
	size := max(math.Abs(a.Min), math.Abs(a.Max))
	switch {
	case !(size > tiny): // also an axis without a value
		a.Min, a.Max = -1, 1
	case a.Max-a.Min < 1e-6*size:
		a.Min, a.Max = a.Min-0.1*size, a.Max+0.1*size
	}
}

func (f *figure) drawCurve(pl *plot.Plot, c *curve, scale func(Parameter) float64, logY bool, style int) error {
	var b bars
	aside := 0.0 // names leave room for curves side by side, numbers do not
	if f.named {
		aside = 0.12 * float64(style)
	}
	for _, r := range c.points {
		low, high := r.Value-r.Low, r.High-r.Value
		if logY { // an interval that reaches to zero has no place there
			low = min(low, r.Value*0.9)
		}
		b.XYs = append(b.XYs, plotter.XY{X: scale(r.Parameters[f.x]) + aside, Y: r.Value})
		b.YErrors = append(b.YErrors, struct{ Low, High float64 }{max(low, 0), max(high, 0)})
	}
	line, points, err := plotter.NewLinePoints(b.XYs)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	intervals, err := plotter.NewYErrorBars(b)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	line.Color, points.Color, intervals.Color = palette[style], palette[style], palette[style]
	line.Width, points.Radius = vg.Points(1.2), vg.Points(2.5)
	points.Shape = shapes[style]
	if !f.named {
		pl.Add(line)
	}
	pl.Add(points, intervals)
	return nil
}

func indexOf(list []string, s string) int {
	for i, x := range list {
		if x == s {
			return i
		}
	}
	return 0
}

// axisName is a parameter for people.
func axisName(parameter string) string {
	if s, ok := map[string]string{"window_s": "mixing window (s)", "payload_bytes": "payload (octets)", "after": "target epochs", "members": "members",
		"messages": "messages"}[parameter]; ok {
		return s
	}
	return parameter
}
