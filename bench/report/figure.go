package report

import (
	"fmt"
	"slices"
	"strings"
)

// figure is all results of one name: a table, and plots if there is something to
// plot.
type figure struct {
	name, unit string
	results    []*Result
	varying    []string // parameters that differ between results
	fixed      string   // the others, for the caption
	x          string   // the parameter on the horizontal axis, "" for no plots
	xs         []Parameter
	named      bool     // what stands on that axis are names
	series     []string // parameters that tell curves of one plot apart
	panels     []panel
	matrix     *matrix // of scenarios under defences, instead of panels; or nil
}

// panel is one plot: its results by curve.
type panel struct {
	title  string
	curves []curve
}

type curve struct {
	label  string
	points []*Result // in the order of x
}

// Limits of what is plotted: more is left to the table.
const (
	maxCurves = 6
	maxPanels = 12
)

// axes are parameters that go well on the horizontal axis, the best first; then
// come others with the most values. Where no number varies, namedAxes are places
// for names side by side. curvesFirst go well with curves.
var (
	axes        = []string{"after", "window_s", "members", "messages", "payload_bytes", "hours", "rate"}
	namedAxes   = []string{"feature"}
	curvesFirst = []string{"attack", "defence", "scheme", "candidates", "users", "payload_bytes", "popular", "missing", "messages_per_epoch"}
)

// figures groups results by name, in the order in which names first come.
func figures(results []Result) []*figure {
	var out []*figure
	by := map[string]*figure{}
	for i := range results {
		r := &results[i]
		f := by[r.Name+"\x00"+r.Unit]
		if f == nil {
			f = &figure{name: r.Name, unit: r.Unit}
			by[r.Name+"\x00"+r.Unit], out = f, append(out, f)
		}
		f.results = append(f.results, r)
	}
	for _, f := range out {
		f.arrange()
	}
	return out
}

// values returns the distinct values of a parameter, in order; a result without
// the parameter counts as one with an empty text.
func (f *figure) values(parameter string) []Parameter {
	var out []Parameter
	for _, r := range f.results {
		if p := r.Parameters[parameter]; !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, compareParameters)
	return out
}

func (f *figure) arrange() {
	var names, fixed []string
	for _, r := range f.results {
		for _, k := range r.parameterNames() {
			if !slices.Contains(names, k) {
				names = append(names, k)
			}
		}
	}
	slices.Sort(names)
	for _, k := range names {
		if v := f.values(k); len(v) > 1 {
			f.varying = append(f.varying, k)
		} else {
			fixed = append(fixed, k+" "+v[0].Text)
		}
	}
	f.fixed = strings.Join(fixed, ", ")
	if f.matrix = newMatrix(f.results); f.matrix != nil {
		return
	}
	f.chooseAxis()
	if f.x != "" {
		f.split()
	}
}

// sampleSize is the parameter that says how many trials a value rests on: nothing
// to plot by.
const sampleSize = "trials"

// chooseAxis takes a numeric parameter with at least two values, or one with
// names.
func (f *figure) chooseAxis() {
	best := -1
	for _, k := range f.varying {
		if k == sampleSize {
			continue
		}
		values := f.values(k)
		if slices.ContainsFunc(values, func(p Parameter) bool { return !p.IsNum }) {
			continue
		}
		score := len(values)
		if i := slices.Index(axes, k); i >= 0 && len(values) > 2 {
			score += 100 * (len(axes) - i)
		}
		if score > best {
			best, f.x, f.xs = score, k, values
		}
	}
	for _, k := range namedAxes {
		if f.x == "" && slices.Contains(f.varying, k) {
			f.x, f.xs, f.named = k, f.values(k), true
		}
	}
}

// split distributes the other parameters over curves and panels.
func (f *figure) split() {
	var rest []string
	for _, k := range curvesFirst {
		if k != f.x && slices.Contains(f.varying, k) {
			rest = append(rest, k)
		}
	}
	for _, k := range f.varying {
		if k != f.x && k != sampleSize && !slices.Contains(rest, k) {
			rest = append(rest, k)
		}
	}
	curves := 1
	var apart []string
	for _, k := range rest {
		if n := len(f.values(k)); curves*n <= maxCurves {
			curves *= n
			f.series = append(f.series, k)
		} else {
			apart = append(apart, k)
		}
	}
	where := map[string]int{}
	for _, r := range f.results {
		if p, ok := r.Parameters[f.x]; !ok || p.IsNum == f.named {
			continue
		}
		title := label(r, apart)
		i, ok := where[title]
		if !ok {
			i = len(f.panels)
			where[title] = i
			f.panels = append(f.panels, panel{title: title})
		}
		f.panels[i].add(label(r, f.series), r)
	}
	for _, p := range f.panels {
		for _, c := range p.curves {
			slices.SortStableFunc(c.points, func(a, b *Result) int { return compareParameters(a.Parameters[f.x], b.Parameters[f.x]) })
		}
	}
	if len(f.panels) > maxPanels {
		f.panels = f.panels[:maxPanels]
	}
}

func (p *panel) add(label string, r *Result) {
	for i := range p.curves {
		if p.curves[i].label == label {
			p.curves[i].points = append(p.curves[i].points, r)
			return
		}
	}
	p.curves = append(p.curves, curve{label, []*Result{r}})
}

// label names the values of some parameters.
func label(r *Result, parameters []string) string {
	var out []string
	for _, k := range parameters {
		if p, ok := r.Parameters[k]; ok {
			out = append(out, fmt.Sprintf("%s %s", strings.ReplaceAll(k, "_", " "), p.Text))
		}
	}
	return strings.Join(out, ", ")
}

// labels are those of all curves, so that a curve has one colour in all panels.
func (f *figure) labels() []string {
	var out []string
	for _, p := range f.panels {
		for _, c := range p.curves {
			if !slices.Contains(out, c.label) {
				out = append(out, c.label)
			}
		}
	}
	return out
}
