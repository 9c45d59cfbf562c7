package link

import (
	"math"
	"slices"
)

// Figure is one result with a confidence interval of 95 %.
type Figure struct {
	Name string `json:"name"`
	// Parameters are numbers, strings and booleans.
	Parameters map[string]any `json:"parameters"`
	Value      float64        `json:"value"`
	Unit       string         `json:"unit"`
	CILow      float64        `json:"ci_low"`
	CIHigh     float64        `json:"ci_high"`
	// AtLeast tells that Value is a bound: in half of the trials or more it was
	// not reached.
	AtLeast bool `json:"at_least,omitempty"`
}

// exact sets a value that has no interval.
func (f *Figure) exact(x float64) { f.Value, f.CILow, f.CIHigh = x, x, x }

const z95 = 1.959963984540054

// median sets value and interval to the median of a sample and the order
// statistics around it that hold it with 95 %, whatever the distribution.
// Values at or above limit stand for "not reached".
func (f *Figure) median(sample []float64, limit float64) {
	s := slices.Sorted(slices.Values(sample))
	n := float64(len(s))
	at := func(i float64) float64 { return s[int(min(max(i, 0), n-1))] }
	f.Value = at(math.Floor((n - 1) / 2))
	f.CILow = at(math.Floor(n/2 - z95*math.Sqrt(n)/2))
	f.CIHigh = at(math.Ceil(n/2 + z95*math.Sqrt(n)/2))
	f.AtLeast = f.Value >= limit
}

// mean sets value and interval to the mean of a sample.
func (f *Figure) mean(sample []float64) {
	n := float64(len(sample))
	sum, squares := 0.0, 0.0
	for _, x := range sample {
		sum += x
	}
	f.Value = sum / n
	for _, x := range sample {
		squares += (x - f.Value) * (x - f.Value)
	}
	half := 0.0
	if n > 1 {
		half = z95 * math.Sqrt(squares/(n-1)/n)
	}
	f.CILow, f.CIHigh = f.Value-half, f.Value+half
}

// share sets value and interval to those of k of n (Wilson score).
func (f *Figure) share(k, n int) {
	p, m := float64(k)/float64(n), float64(n)
	center := (p + z95*z95/(2*m)) / (1 + z95*z95/m)
	half := z95 / (1 + z95*z95/m) * math.Sqrt(p*(1-p)/m+z95*z95/(4*m*m))
	f.Value, f.CILow, f.CIHigh = p, max(0, center-half), min(1, center+half)
}
