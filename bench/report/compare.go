package report

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"golang.org/x/perf/benchmath"
)

// Verdict says what can be said of a change.
type Verdict string

// The verdicts.
const (
	Changed   Verdict = "changed"
	Unchanged Verdict = "no difference shown"
	Unsure    Verdict = "one run each: no confidence"
	OnlyOld   Verdict = "only before"
	OnlyNew   Verdict = "only after"
)

// Change is one figure before and after.
type Change struct {
	Result   *Result // for its name, unit and parameters
	Old, New float64
	Runs     [2]int
	Verdict  Verdict
	Why      string
}

// least is how many runs of each side make a test worth the while: with three
// the smallest possible p is 0.1.
const least = 4

// Compare says what changed between two sets of results. A figure that comes
// several times was measured several times: with four runs or more on both sides
// their medians are compared by the Mann-Whitney test at 5 %. Otherwise
// two intervals of 95 % that do not meet are a change, which is a stricter rule;
// and without intervals nothing is sure.
func Compare(before, after []Result) []Change {
	var order []string
	sides := [2]map[string][]*Result{{}, {}}
	for side, results := range [][]Result{before, after} {
		for i := range results {
			k := results[i].key()
			if len(sides[0][k])+len(sides[1][k]) == 0 {
				order = append(order, k)
			}
			sides[side][k] = append(sides[side][k], &results[i])
		}
	}
	var out []Change
	for _, k := range order {
		out = append(out, compare(sides[0][k], sides[1][k]))
	}
	return out
}

func compare(before, after []*Result) Change {
	c := Change{Runs: [2]int{len(before), len(after)}}
	switch {
	case len(after) == 0:
		c.Result, c.Verdict = before[0], OnlyOld
		c.Old, _ = median(before)
		return c
	case len(before) == 0:
		c.Result, c.Verdict = after[0], OnlyNew
		c.New, _ = median(after)
		return c
	}
	c.Result = after[0]
	var a, b *benchmath.Sample
	c.Old, a = median(before)
	c.New, b = median(after)
	x, y := before[0], after[0]
	switch {
	case len(before) >= least && len(after) >= least:
		test := benchmath.AssumeNothing.Compare(a, b)
		c.Verdict, c.Why = Unchanged, fmt.Sprintf("p=%.3f", test.P)
		if test.P < 0.05 {
			c.Verdict = Changed
		}
	case len(before) == 1 && len(after) == 1 && x.Interval && y.Interval:
		c.Verdict, c.Why = Unchanged, "intervals meet"
		if x.High < y.Low || y.High < x.Low {
			c.Verdict, c.Why = Changed, "intervals apart"
		}
	case len(before) == 1 && len(after) == 1:
		c.Verdict = Unsure
	default:
		c.Verdict, c.Why = Unsure, fmt.Sprintf("%d and %d runs; %d of each are needed", len(before), len(after), least)
	}
	return c
}

func median(results []*Result) (float64, *benchmath.Sample) {
	var values []float64
	for _, r := range results {
		values = append(values, r.Value)
	}
	s := benchmath.NewSample(values, &benchmath.DefaultThresholds)
	return benchmath.AssumeNothing.Summary(s, 0.95).Center, s
}

// WriteChanges writes changes as a table; all of them, or those alone that are
// sure or concern one side.
func WriteChanges(w io.Writer, changes []Change, all bool) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "figure\tbefore\tafter\tchange\tunit\tverdict")
	counts := map[Verdict]int{}
	for _, c := range changes {
		counts[c.Verdict]++
		if !all && (c.Verdict == Unchanged || c.Verdict == Unsure) {
			continue
		}
		before, after, change := format(c.Old), format(c.New), ""
		switch {
		case c.Verdict == OnlyOld:
			after = ""
		case c.Verdict == OnlyNew:
			before = ""
		case c.Old != 0:
			change = fmt.Sprintf("%+.1f %%", 100*(c.New-c.Old)/c.Old)
		}
		verdict := string(c.Verdict)
		if c.Why != "" {
			verdict += " (" + c.Why + ")"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", c.Result, before, after, change, c.Result.Unit, verdict)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	var out []string
	for _, v := range []Verdict{Changed, Unchanged, Unsure, OnlyOld, OnlyNew} {
		if counts[v] > 0 {
			out = append(out, fmt.Sprintf("%d %s", counts[v], v))
		}
	}
	_, err := fmt.Fprintf(w, "%d figures: %s\n", len(changes), strings.Join(out, ", "))
	return err
}
