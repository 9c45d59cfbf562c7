package link

import (
	"context"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// TestPublishedFigures: the published program, run by others with 100 messages in
// an epoch, a million users and a hundred trials, gave these mean ranks of the
// one associate after so many target epochs, and these shares of trials in which
// it was alone on top. The intervals of both runs must overlap.
func TestPublishedFigures(t *testing.T) {
	s := PaperSetting{Users: 1_000_000, Messages: 100, Associates: 1, Epochs: 10}
	n := 100
	if testing.Short() {
		n = 40
	}
	ranks := make([][]int, n)
	e := &env{Options: Options{Seed: 3}, ctx: context.Background()}
	if err := trials(e, "published", n, func() struct{} { return struct{}{} }, func(i int, _ struct{}, r *rand.Rand) {
		_, ranks[i] = s.run(r)
	}); err != nil {
		t.Fatal(err)
	}
	for _, published := range []struct {
		after    int
		mean     float64
		onTop    int // of 100
		halfMean float64
	}{{2, 47.9, 0, 11}, {4, 10.8, 26, 5.5}, {6, 4.2, 68, 2.4}, {8, 2.2, 74, 0.8}, {10, 1.5, 87, 0.4}} {
		var sample []float64
		top := 0
		for _, of := range ranks {
			sample = append(sample, float64(of[published.after-1]))
			if of[published.after-1] == 1 {
				top++
			}
		}
		var mean, share, theirs Figure
		mean.mean(sample)
		share.share(top, n)
		theirs.share(published.onTop, 100)
		if mean.CILow > published.mean+published.halfMean || mean.CIHigh < published.mean-published.halfMean {
			t.Errorf("after %d: mean rank %.1f [%.1f, %.1f], published %.1f", published.after, mean.Value, mean.CILow, mean.CIHigh, published.mean)
		}
		if share.CILow > theirs.CIHigh || share.CIHigh < theirs.CILow {
			t.Errorf("after %d: on top in %.2f, published %.2f", published.after, share.Value, theirs.Value)
		}
	}
	// "As few as five messages", says the abstract: with 800 in an epoch.
	s.Messages = 800
	early := 0
	if err := trials(e, "five", n, func() struct{} { return struct{}{} }, func(i int, _ struct{}, r *rand.Rand) { _, ranks[i] = s.run(r) }); err != nil {
		t.Fatal(err)
	}
	for _, of := range ranks {
		if of[4] == 1 {
			early++
		}
	}
	if early == 0 {
		t.Error("five messages are never enough")
	}
}

// TestNothingToFind: where nothing ties the associate to the target the attacks
// do not find it, so that they measure what they should.
func TestNothingToFind(t *testing.T) {
	found := 0
	s := PaperSetting{Users: 10_000, Messages: 80, Associates: 1, Missing: 1, Epochs: 30}
	for i := range 20 {
		if _, worst := s.run(rand.New(rand.NewPCG(1, uint64(i)))); worst[len(worst)-1] == 1 {
			found++
		}
	}
	if found > 1 {
		t.Errorf("without receipts the associate is on top in %d of 20 trials", found)
	}
}

func TestRanking(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const n = 50
	k := newRanking(n, 100)
	for range 100 {
		k.add(int32(r.IntN(n)), 1-2*r.IntN(2))
		u := int32(r.IntN(n))
		want := 0
		for _, s := range k.score {
			if s >= k.score[u] {
				want++
			}
		}
		if got := k.rank(u); got != want {
			t.Fatalf("rank %d, want %d", got, want)
		}
	}
}

func small(t *testing.T, perGroup bool) *World {
	t.Helper()
	return NewWorld(20_000, perGroup, 5)
}

func medianOf(t *testing.T, s Setting, a Attack, n int) float64 {
	t.Helper()
	var sample []float64
	o := newObserver(s)
	for i := range n {
		sample = append(sample, o.run(rand.New(rand.NewPCG(9, uint64(i))))[a])
	}
	var f Figure
	f.median(sample, maxWatched)
	return f.Value
}

// TestWindows: a delivery alone gives its group away, a window costs the attacker
// messages, and the better attacker fewer.
func TestWindows(t *testing.T) {
	w := small(t, false)
	for _, members := range []int{2, 10} {
		for a := range attacks {
			if got := medianOf(t, Setting{World: w, Members: members}, a, 5); got != 1 {
				t.Errorf("%d members, %v: %v messages without a window", members, a, got)
			}
		}
	}
	long := Setting{World: w, Members: 2, Window: 10}
	difference, likelihood := medianOf(t, long, Difference, 9), medianOf(t, long, Likelihood, 9)
	if difference <= 2 || likelihood <= 1 || likelihood > difference {
		t.Errorf("window of 10 s: %v messages by difference, %v by likelihood", difference, likelihood)
	}
}

// TestTrialsAreIndependent: an observer that has played before sees the same.
func TestTrialsAreIndependent(t *testing.T) {
	s := Setting{World: small(t, true), Members: 3, Window: 1, Receipts: true}
	o := newObserver(s)
	run := func(o *observer) [attacks]float64 { return o.run(rand.New(rand.NewPCG(4, 4))) }
	first := run(o)
	o.run(rand.New(rand.NewPCG(5, 5)))
	if again := run(o); again != first {
		t.Errorf("%v, then %v", first, again)
	}
	if fresh := run(newObserver(s)); fresh != first {
		t.Errorf("%v, a fresh one %v", first, fresh)
	}
}

// TestWorld: traffic and groups are as documented.
func TestWorld(t *testing.T) {
	for _, perGroup := range []bool{false, true} {
		w := small(t, perGroup)
		if got := float64(len(w.users)) / float64(w.Users); math.Abs(got-groupsPerUser) > 0.1 {
			t.Errorf("%.2f groups for each user", got)
		}
		total, deliveries := 0.0, 0.0
		for g, x := range w.weight {
			total += x
			deliveries += x * float64(len(w.at(g)))
		}
		if math.Abs(total*86400/float64(w.Users)-perUserAndDay) > 1e-6 {
			t.Errorf("%.1f messages a day", total*86400/float64(w.Users))
		}
		sum := 0.0
		for _, x := range w.rate {
			sum += x
		}
		if math.Abs(sum-deliveries) > 1e-6*deliveries {
			t.Errorf("rates of queues sum to %v, of deliveries to %v", sum, deliveries)
		}
		if perGroup != (w.Queues == len(w.users)) {
			t.Errorf("%d queues", w.Queues)
		}
	}
}

func TestDraws(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	weight := []float64{1, 0, 5, 2, 0.5}
	a := newAlias(weight)
	const n = 200_000
	var got [5]float64
	for range n {
		got[a.draw(r)]++
	}
	for i, x := range weight {
		if math.Abs(got[i]/n-x/8.5) > 0.005 {
			t.Errorf("index %d comes in %.4f, want %.4f", i, got[i]/n, x/8.5)
		}
	}
	for _, mean := range []float64{0, 0.3, 7, 300} {
		sum, squares := 0.0, 0.0
		for range 50_000 {
			x := float64(poisson(r, mean))
			sum += x
			squares += x * x
		}
		m := sum / 50_000
		if v := squares/50_000 - m*m; math.Abs(m-mean) > 0.03*mean+0.001 || math.Abs(v-mean) > 0.05*mean+0.001 {
			t.Errorf("Poisson of %v: mean %v, variance %v", mean, m, v)
		}
	}
}

// TestLatency compares the formulas for windows with a simulated stream.
func TestLatency(t *testing.T) {
	w := small(t, false)
	s := Setting{World: w, Members: 2, Window: 0.1}
	r := rand.New(rand.NewPCG(3, 3))
	var waits, sizes []float64
	for range 100_000 {
		// One window: it opens with a message, others come during it.
		n := 1
		at := []float64{0}
		for x := r.ExpFloat64() / w.total; x < s.Window; x += r.ExpFloat64() / w.total {
			n++
			at = append(at, x)
		}
		for _, x := range at {
			waits = append(waits, s.Window-x)
			sizes = append(sizes, float64(n-1))
		}
	}
	var wait, size Figure
	wait.mean(waits)
	size.mean(sizes)
	mean, p99 := latency(w.total, s.Window)
	if math.Abs(mean-wait.Value) > 0.02*wait.Value {
		t.Errorf("mean %v, simulated %v", mean, wait.Value)
	}
	slices.Sort(waits)
	if at := waits[len(waits)*99/100]; math.Abs(p99-at) > 0.02*at {
		t.Errorf("99th percentile %v, simulated %v", p99, at)
	}
	o := newObserver(s)
	o.rand = r
	var others []float64
	for range 100_000 {
		_, n := o.place()
		others = append(others, float64(n))
	}
	var drawn Figure
	drawn.mean(others)
	if math.Abs(drawn.Value-size.Value) > 0.03*size.Value {
		t.Errorf("%v others in a message's window, simulated %v", drawn.Value, size.Value)
	}
}

func TestMeanWithin(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, window := range []float64{0, 0.05, 0.4, 1, 10} {
		sum := 0.0
		for range 100_000 {
			sum += min(window, receiptMin+(receiptMax-receiptMin)*r.Float64())
		}
		if got := meanWithin(window); math.Abs(got-sum/100_000) > 0.005 {
			t.Errorf("window %v: %v, drawn %v", window, got, sum/100_000)
		}
	}
}

// TestSameSeedSameFigures on the parts that are quick enough.
func TestSameSeedSameFigures(t *testing.T) {
	run := func(seed uint64) []Figure {
		f, err := Run(context.Background(), Options{Quick: true, Seed: seed, Only: []string{"size"}})
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	first := run(1)
	if !reflect.DeepEqual(first, run(1)) {
		t.Error("the same seed gave other figures")
	}
	if reflect.DeepEqual(first, run(2)) {
		t.Error("another seed gave the same figures")
	}
}

func TestRunRefuses(t *testing.T) {
	if _, err := Run(context.Background(), Options{Only: []string{"magic"}}); err == nil {
		t.Error("an unknown experiment runs")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Run(ctx, Options{Quick: true, Only: []string{"paper"}}); err == nil {
		t.Error("a cancelled run ends without an error")
	}
}

func TestIntervals(t *testing.T) {
	var f Figure
	f.median([]float64{5, 1, 4, 2, 3}, 100)
	if f.Value != 3 || f.CILow > 1 || f.CIHigh < 5 || f.AtLeast {
		t.Errorf("median %+v", f)
	}
	f.median([]float64{1, 9, 9}, 9)
	if f.Value != 9 || !f.AtLeast {
		t.Errorf("median at the limit %+v", f)
	}
	f.share(0, 100)
	if f.CILow != 0 || f.CIHigh < 0.03 || f.CIHigh > 0.05 {
		t.Errorf("share of none %+v", f)
	}
	// 95 % of intervals hold the truth.
	r := rand.New(rand.NewPCG(2, 2))
	held := 0
	for range 1000 {
		var sample []float64
		for range 60 {
			sample = append(sample, r.ExpFloat64())
		}
		var f Figure
		f.median(sample, math.Inf(1))
		if f.CILow <= math.Ln2 && math.Ln2 <= f.CIHigh {
			held++
		}
	}
	if held < 930 {
		t.Errorf("%d of 1000 intervals hold the median", held)
	}
}
