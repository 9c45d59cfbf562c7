package bench

import (
	"runtime"
	"slices"
	"time"
)

// contender does the same work as others do.
type contender struct {
	name string
	// beside is the time that processes beside this one have used.
	beside func() time.Duration
	// prepare makes what one round needs. run is what is measured: it returns how
	// much it did, and how long parts of it took.
	prepare func() (run func() (int, []time.Duration, error), err error)
}

// contest has contenders do their rounds by turns, so that each meets the same
// disturbances, and emits for each the median rate, the processor time of all
// processes for each operation, and quantiles of what parts took. The baseline is
// the contender that is named so, if there is one.
//
// Processor time depends far less than the rate on what else the machine does. That
// of a server includes what it does behind the scenes, for earlier rounds too.
func (e *env) contest(like Result, operation, operations, baseline string, all []contender) error {
	rates, cpu := map[string][]float64{}, map[string][]float64{}
	parts := map[string][]time.Duration{}
	for range rounds {
		for _, c := range all {
			run, err := c.prepare()
			if err != nil {
				return err
			}
			runtime.GC()
			before, start := processor()+c.beside(), time.Now()
			n, took, err := run()
			if err != nil {
				return err
			}
			rates[c.name] = append(rates[c.name], float64(n)/time.Since(start).Seconds())
			cpu[c.name] = append(cpu[c.name], float64((processor()+c.beside()-before).Nanoseconds())/1e3/float64(n))
			parts[c.name] = append(parts[c.name], took...)
		}
	}
	for _, c := range all {
		figures := []struct {
			suffix, unit string
			of           func(name string) float64
		}{
			{"", operations + "/s", func(name string) float64 { return median(rates[name]) }},
			{"_processor", "µs/" + operation, func(name string) float64 { return median(cpu[name]) }},
			{"_p50", "ms", func(name string) float64 { return quantileOf(parts[name], 0.5) }},
			{"_p99", "ms", func(name string) float64 { return quantileOf(parts[name], 0.99) }},
		}
		for _, f := range figures {
			r := like
			r.Name, r.Store, r.Unit, r.Value = like.Name+f.suffix, c.name, f.unit, f.of(c.name)
			if c.name != baseline {
				r.Baseline = f.of(baseline)
			}
			if r.Value > 0 {
				e.emit(r)
			}
		}
	}
	return nil
}

// median is 0 of nothing.
func median(of []float64) float64 {
	if len(of) == 0 {
		return 0
	}
	of = slices.Sorted(slices.Values(of))
	return of[len(of)/2]
}

// quantileOf is 0 of nothing.
func quantileOf(of []time.Duration, share float64) float64 {
	if len(of) == 0 {
		return 0
	}
	return quantile(of, share)
}
