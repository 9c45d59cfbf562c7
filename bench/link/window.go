package link

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Setting is what is varied about a service.
type Setting struct {
	World *World
	// Members of the watched group.
	Members int
	// Window is the mixing window in seconds, 0 for none.
	Window   float64
	Receipts bool
}

// Attack is how queues are ranked.
type Attack int

// The attacks.
const (
	Difference Attack = iota
	Likelihood
	attacks
)

func (a Attack) String() string { return [...]string{"difference", "likelihood"}[a] }

// maxWatched is how many messages of the watched group a trial has at most.
const maxWatched = 100

// observer is the state of one trial: what the attacker counted. It is reused.
type observer struct {
	Setting
	rand    *rand.Rand
	target  []uint16 // target windows in which each queue got something
	random  []uint16 // random windows
	touched []int32  // queues with target windows
	stamp   []int32
	now     int32
	windows int // target windows so far

	watched   []int32 // queues of the watched group; the first is the target's
	associate []bool  // share a group with the target's queue
	marked    []int32
	groups    []int32 // the target's other groups that its queue serves
	share     float64 // of the target queue's messages that are of the watched group
}

func newObserver(s Setting) *observer {
	n := s.World.Queues + s.Members
	return &observer{Setting: s, target: make([]uint16, n), random: make([]uint16, n), stamp: make([]int32, n), associate: make([]bool, n)}
}

// run plays one trial and returns, for each attack, after how many messages of
// the watched group all of its members were on top, or maxWatched if never.
func (o *observer) run(r *rand.Rand) (reached [attacks]float64) {
	o.begin(r)
	for a := range reached {
		reached[a] = maxWatched
	}
	open := int(attacks)
	for n, next := 0, 1; n < maxWatched && open > 0; {
		watched := o.message()
		if !watched {
			continue
		}
		if n++; n < next {
			continue
		}
		if next = n + 1; n >= 30 {
			next = n + n/10
		}
		for a := range attacks {
			if reached[a] == maxWatched && o.onTop(a) {
				reached[a] = float64(n)
				open--
			}
		}
	}
	return reached
}

// begin forgets the last trial and draws a target.
func (o *observer) begin(r *rand.Rand) {
	w := o.World
	o.rand, o.windows, o.touched = r, 0, o.touched[:0]
	clear(o.target)
	clear(o.random)
	for _, q := range o.marked {
		o.associate[q] = false
	}
	o.marked, o.groups = o.marked[:0], nil
	people := distinct(r, w.Users, o.Members)
	o.watched = people
	rate := w.averageRate()
	o.share = 1
	if w.PerGroup {
		o.watched = make([]int32, o.Members)
		for i := range o.watched {
			o.watched[i] = int32(w.Queues + i)
		}
	} else {
		o.groups = w.ofUser[people[0]]
		o.share = rate / (rate + w.rate[people[0]])
	}
	mark := func(queues []int32) {
		for _, q := range queues {
			o.associate[q] = true
			o.marked = append(o.marked, q)
		}
	}
	mark(o.watched)
	for _, g := range o.groups {
		mark(w.at(int(g)))
	}
}

// message has the target's queue get a message, and reports whether it was of
// the watched group.
func (o *observer) message() bool {
	batch, watched := o.watched, true
	if o.rand.Float64() >= o.share {
		watched = false
		batch = o.World.at(o.otherGroup())
	}
	place, others := o.place()
	o.observe(batch, others)
	if o.Receipts && len(batch) == 2 {
		if delay := receiptMin + (receiptMax-receiptMin)*o.rand.Float64(); place+delay > o.Window {
			_, others := o.place()
			o.observe(batch, others)
		}
	}
	return watched
}

func (o *observer) otherGroup() int {
	x := o.rand.Float64() * o.World.rate[o.watched[0]]
	for _, g := range o.groups {
		if x -= o.World.weight[g]; x < 0 {
			return int(g)
		}
	}
	return int(o.groups[len(o.groups)-1])
}

// load is how many messages of others come in a window, after the one that opens
// it.
func (o *observer) load() float64 { return o.World.total * o.Window }

// place draws where in its window a message comes, in seconds from its begin, and
// how many others the window has. A message is the one that opens its window
// with probability 1/(1+load); else the opener is among the others.
func (o *observer) place() (seconds float64, others int) {
	others = poisson(o.rand, o.load())
	if o.rand.Float64()*(1+o.load()) < 1 {
		return 0, others
	}
	return o.rand.Float64() * o.Window, others + 1
}

// observe counts the queues of one target window, which has a batch in it and
// messages of others, and of a random window.
func (o *observer) observe(batch []int32, others int) {
	o.now++
	o.windows++
	for _, q := range batch {
		o.inTarget(q)
	}
	o.fill(others, o.inTarget)
	o.now++
	o.fill(1+poisson(o.rand, o.load()), func(q int32) {
		if o.stamp[q] != o.now {
			o.stamp[q] = o.now
			o.random[q]++
		}
	})
}

func (o *observer) inTarget(q int32) {
	if o.stamp[q] == o.now {
		return
	}
	o.stamp[q] = o.now
	if o.target[q]++; o.target[q] == 1 {
		o.touched = append(o.touched, q)
	}
}

// fill adds messages of others to a window, and receipts whose message was in an
// earlier one.
func (o *observer) fill(messages int, count func(q int32)) {
	w := o.World
	add := func(g int) {
		for _, q := range w.at(g) {
			count(q)
		}
	}
	for range messages {
		add(w.pick.draw(o.rand))
	}
	if !o.Receipts {
		return
	}
	for range poisson(o.rand, w.pairs*meanWithin(o.Window)) {
		g := w.pick.draw(o.rand)
		for len(w.at(g)) != 2 {
			g = w.pick.draw(o.rand)
		}
		add(g)
	}
}

// meanWithin is the mean of the lesser of a receipt's delay and the window, in
// seconds.
func meanWithin(window float64) float64 {
	switch {
	case window <= receiptMin:
		return window
	case window >= receiptMax:
		return (receiptMin + receiptMax) / 2
	}
	below := (window - receiptMin) / (receiptMax - receiptMin)
	return below*(receiptMin+window)/2 + (1-below)*window
}

// onTop reports whether all members of the watched group rank above every queue
// that is not the target's associate.
func (o *observer) onTop(a Attack) bool {
	score := o.difference
	if a == Likelihood {
		score = o.likelihood
	}
	least := math.Inf(1)
	for _, q := range o.watched[1:] {
		least = min(least, score(q))
	}
	if least <= 0 { // who was never seen has as much
		return false
	}
	for _, q := range o.touched {
		if !o.associate[q] && score(q) >= least {
			return false
		}
	}
	return true
}

func (o *observer) difference(q int32) float64 { return float64(o.target[q]) - float64(o.random[q]) }

// likelihood is n times the divergence of the observed share from what chance
// gives.
func (o *observer) likelihood(q int32) float64 {
	n, t := float64(o.windows), float64(o.target[q])
	p := o.chance(q)
	s := t / n
	if s <= p {
		return 0
	}
	score := t * math.Log(s/p)
	if t < n {
		score += (n - t) * math.Log((1-s)/(1-p))
	}
	return score
}

// chance is the probability that a queue is in a window that has nothing to do
// with it.
func (o *observer) chance(q int32) float64 {
	load, rate := o.load(), 0.0
	if int(q) < o.World.Queues {
		rate = o.World.rate[q]
	}
	if slices.Contains(o.watched, q) {
		rate += o.World.averageRate()
	}
	others := load + load/(1+load)
	if o.Receipts && load > 0 {
		others *= 1 + o.World.pairs*meanWithin(o.Window)/load
	}
	return max(1e-9, -math.Expm1(-rate/o.World.total*others))
}

// latency is what a window adds to the delivery of a message, in seconds, at a
// traffic in messages a second: the mean, and the 99th percentile.
func latency(traffic, window float64) (mean, p99 float64) {
	opener := 1 / (1 + traffic*window)
	mean = window*opener + window/2*(1-opener)
	if opener >= 0.01 {
		return mean, window
	}
	return mean, window * (1 - (0.01-opener)/(1-opener))
}
