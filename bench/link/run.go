package link

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
)

// Options of a [Run].
type Options struct {
	// Only names the experiments to run; none means all.
	Only []string
	// Quick has fewer trials and smaller worlds, for about a minute.
	Quick bool
	Seed  uint64
	// Dir is where stores lie while they are filled. Empty means the system's
	// directory for temporary files.
	Dir string
	// Progress gets each figure as it comes. Nil for none.
	Progress func(Figure)
}

// Experiment is something to measure.
type Experiment struct {
	Name, Summary string
	run           func(*env) error
}

// Experiments are all there are, in the order in which they run.
var Experiments = []Experiment{
	{"paper", "the published attack in the published setting", paper},
	{"timing", "the attack on queues that get something in one window", timing},
	{"size", "matching of exact lengths with padded ones", size},
	{"snapshot", "what a copy of all stores links", snapshots},
}

type env struct {
	Options
	ctx     context.Context
	figures []Figure
}

// Run measures and returns the figures.
func Run(ctx context.Context, o Options) ([]Figure, error) {
	for _, name := range o.Only {
		if !slices.ContainsFunc(Experiments, func(x Experiment) bool { return x.Name == name }) {
			return nil, fmt.Errorf("link: no experiment %q", name)
		}
	}
	e := &env{Options: o, ctx: ctx}
	for _, x := range Experiments {
		if len(o.Only) > 0 && !slices.Contains(o.Only, x.Name) {
			continue
		}
		if err := x.run(e); err != nil {
			return e.figures, err
		}
	}
	return e.figures, nil
}

func (e *env) emit(f Figure) {
	e.figures = append(e.figures, f)
	if e.Progress != nil {
		e.Progress(f)
	}
}

// emitExact emits a value that has no interval.
func (e *env) emitExact(name string, parameters map[string]any, x float64, unit string) {
	f := Figure{Name: name, Parameters: parameters, Unit: unit}
	f.exact(x)
	e.emit(f)
}

// either returns quick or full.
func either[T any](e *env, quick, full T) T {
	if e.Quick {
		return quick
	}
	return full
}

// trials runs n trials on all processors. Each has a generator of its own, which
// depends on the seed, the name and the trial alone, so that figures do not
// depend on the machine.
func trials[S any](e *env, name string, n int, state func() S, trial func(i int, s S, r *rand.Rand)) error {
	h := fnv.New64a()
	h.Write([]byte(name))
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n) {
		wg.Go(func() {
			s := state()
			for i := range next {
				trial(i, s, rand.New(rand.NewPCG(e.Seed, h.Sum64()+uint64(i))))
			}
		})
	}
	for i := range n {
		if e.ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	wg.Wait()
	return e.ctx.Err()
}

// paper plays the published experiments, and how they depend on traffic and on
// receipts.
func paper(e *env) error {
	base := PaperSetting{Users: 1_000_000, Messages: 800, Associates: 1, Epochs: 100}
	with := func(change func(*PaperSetting)) PaperSetting {
		s := base
		change(&s)
		return s
	}
	settings := []PaperSetting{
		base,
		with(func(s *PaperSetting) { s.Popular = 1000 }),
		with(func(s *PaperSetting) { s.Messages = 100 }),
	}
	if !e.Quick {
		settings = append(settings,
			with(func(s *PaperSetting) { s.Associates = 6 }),
			with(func(s *PaperSetting) { s.Popular, s.Associates = 1000, 6 }),
			with(func(s *PaperSetting) { s.Messages = 225 }),
			with(func(s *PaperSetting) { s.Missing = 0.33 }),
			with(func(s *PaperSetting) { s.Missing = 0.5 }),
			with(func(s *PaperSetting) { s.Missing = 0.9 }),
			with(func(s *PaperSetting) { s.Missing = 1 }),
		)
	}
	n := either(e, 20, 200)
	for _, s := range settings {
		best, worst := make([][]int, n), make([][]int, n)
		err := trials(e, fmt.Sprintf("paper %+v", s), n, func() struct{} { return struct{}{} }, func(i int, _ struct{}, r *rand.Rand) {
			best[i], worst[i] = s.run(r)
		})
		if err != nil {
			return err
		}
		e.paperFigures(s, best, worst)
	}
	return nil
}

func (e *env) paperFigures(s PaperSetting, best, worst [][]int) {
	parameters := func(more ...any) map[string]any {
		p := map[string]any{"users": s.Users, "messages_per_epoch": s.Messages, "popular": s.Popular, "associates": s.Associates, "missing": s.Missing, "trials": len(worst)}
		for i := 0; i < len(more); i += 2 {
			p[more[i].(string)] = more[i+1]
		}
		return p
	}
	first := func(ranks [][]int, rank int) (out []float64) {
		for _, of := range ranks {
			if at := slices.IndexFunc(of, func(r int) bool { return r <= rank }); at >= 0 {
				out = append(out, float64(at+1))
			} else {
				out = append(out, float64(s.Epochs))
			}
		}
		return out
	}
	f := Figure{Name: "paper_messages_to_first", Parameters: parameters(), Unit: "messages"}
	f.median(first(best, 1), float64(s.Epochs))
	e.emit(f)
	f = Figure{Name: "paper_messages_to_all", Parameters: parameters(), Unit: "messages"}
	f.median(first(worst, s.Associates), float64(s.Epochs))
	e.emit(f)
	for _, after := range []int{2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 40, 60, 80, 100} {
		var ranks []float64
		top := 0
		for _, of := range worst {
			ranks = append(ranks, float64(of[after-1]))
			if of[after-1] <= s.Associates {
				top++
			}
		}
		if s.Associates == 1 && s.Missing == 0 { // else who was not seen yet decides the mean
			f = Figure{Name: "paper_mean_rank", Parameters: parameters("after", after), Unit: "rank"}
			f.mean(ranks)
			e.emit(f)
		}
		f = Figure{Name: "paper_share_on_top", Parameters: parameters("after", after), Unit: "share of trials"}
		f.share(top, len(worst))
		e.emit(f)
	}
}

// windows are the mixing windows in seconds.
var windows = []float64{0, 0.1, 1, 10}

// timing plays the attack here.
func timing(e *env) error {
	for _, users := range either(e, []int{10_000, 100_000}, []int{10_000, 100_000, 1_000_000}) {
		e.latencies(users)
		for _, perGroup := range []bool{false, true} {
			w := NewWorld(users, perGroup, e.Seed)
			for _, members := range either(e, []int{2}, []int{2, 10}) {
				for _, receipts := range []bool{false, true} {
					for _, window := range windows {
						if err := e.timingFigures(Setting{w, members, window, receipts}); err != nil {
							return err
						}
					}
				}
			}
		}
	}
	return nil
}

// latencies says what the windows cost.
func (e *env) latencies(users int) {
	for _, window := range windows {
		mean, p99 := latency(traffic(users), window)
		parameters := map[string]any{"users": users, "window_s": window}
		e.emitExact("timing_latency_mean", parameters, mean, "s")
		e.emitExact("timing_latency_p99", parameters, p99, "s")
	}
}

func (e *env) timingFigures(s Setting) error {
	n := either(e, 12, 60)
	if s.World.Users >= 1_000_000 {
		n = 30 // each takes seconds
	}
	reached := make([][attacks]float64, n)
	name := fmt.Sprintf("timing %d %v %d %v %v", s.World.Users, s.World.PerGroup, s.Members, s.Window, s.Receipts)
	if err := trials(e, name, n, func() *observer { return newObserver(s) }, func(i int, o *observer, r *rand.Rand) { reached[i] = o.run(r) }); err != nil {
		return err
	}
	queues := "one"
	if s.World.PerGroup {
		queues = "one per group"
	}
	for a := range attacks {
		var sample []float64
		for _, of := range reached {
			sample = append(sample, of[a])
		}
		p := map[string]any{"users": s.World.Users, "queues": queues, "members": s.Members, "window_s": s.Window, "receipts": s.Receipts,
			"attack": a.String(), "trials": n}
		f := Figure{Name: "timing_messages_to_top", Parameters: p, Unit: "messages"}
		f.median(sample, maxWatched)
		e.emit(f)
	}
	return nil
}

// size matches lengths.
func size(e *env) error {
	samples, n := either(e, 200_000, 2_000_000), either(e, 2_000, 20_000)
	for i := range SizeSchemes {
		s := &SizeSchemes[i]
		frequency, cost := s.frequencies(rand.New(rand.NewPCG(e.Seed, uint64(i))), samples)
		e.emitExact("size_cost", map[string]any{"scheme": s.Name}, cost, "octets per octet")
		e.emitExact("size_classes", map[string]any{"scheme": s.Name}, float64(len(frequency)), "classes seen")
		for _, candidates := range []int{10, 100, 1000} {
			for _, messages := range []int{1, 4, 16, 64} {
				sample := make([]float64, n)
				name := fmt.Sprintf("size %s %d %d", s.Name, candidates, messages)
				err := trials(e, name, n, func() struct{} { return struct{}{} }, func(i int, _ struct{}, r *rand.Rand) {
					guess := 1 / float64(candidates)
					sample[i] = (sizeTrial(r, frequency, s, messages, candidates) - guess) / (1 - guess)
				})
				if err != nil {
					return err
				}
				f := Figure{Name: "size_advantage", Parameters: map[string]any{"scheme": s.Name, "candidates": candidates, "messages": messages}, Unit: "advantage over guessing"}
				f.mean(sample)
				e.emit(f)
			}
		}
	}
	return nil
}
