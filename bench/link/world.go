package link

import (
	"math"
	"math/rand/v2"
)

// Traffic of a [World].
const (
	perUserAndDay = 70.0
	groupsPerUser = 6.0
	sigma         = 1.5
	receiptMin    = 0.1 // seconds after the message
	receiptMax    = 1.0
)

// World is the traffic in which a trial hides. It is built once for many trials
// and not changed by them.
type World struct {
	Users int
	// Queues is how many queues there are: one for each user, or for each
	// membership.
	Queues   int
	PerGroup bool
	// members of group g are queues[starts[g]:starts[g+1]], as users and queues.
	starts []int32
	users  []int32
	queues []int32
	// ofUser lists the groups of each user.
	ofUser [][]int32
	weight []float64 // messages a second
	pick   *alias
	rate   []float64 // of each queue, messages a second
	total  float64   // messages a second
	pairs  float64   // those of groups of two
}

// NewWorld draws the groups of a world.
func NewWorld(users int, perGroup bool, seed uint64) *World {
	r := rand.New(rand.NewPCG(seed, 0x776f726c64))
	w := &World{Users: users, PerGroup: perGroup, starts: []int32{0}, ofUser: make([][]int32, users)}
	for float64(len(w.users)) < groupsPerUser*float64(users) {
		size := min(groupSize(r), users)
		for _, u := range distinct(r, users, size) {
			w.ofUser[u] = append(w.ofUser[u], int32(len(w.starts)-1))
			w.users = append(w.users, u)
		}
		w.starts = append(w.starts, int32(len(w.users)))
		w.weight = append(w.weight, math.Exp(sigma*r.NormFloat64()))
	}
	w.queues, w.Queues = w.users, users
	if perGroup {
		w.Queues = len(w.users)
		w.queues = make([]int32, len(w.users))
		for i := range w.queues {
			w.queues[i] = int32(i)
		}
	}
	sum := 0.0
	for _, x := range w.weight {
		sum += x
	}
	w.total = traffic(users)
	w.rate = make([]float64, w.Queues)
	for g := range w.weight {
		w.weight[g] *= w.total / sum
		for _, q := range w.at(g) {
			w.rate[q] += w.weight[g]
		}
		if len(w.at(g)) == 2 {
			w.pairs += w.weight[g]
		}
	}
	w.pick = newAlias(w.weight)
	return w
}

func groupSize(r *rand.Rand) int {
	between := func(a, b int) int { return a + r.IntN(b-a+1) }
	switch x := r.Float64(); {
	case x < 0.6:
		return 2
	case x < 0.8:
		return between(3, 5)
	case x < 0.95:
		return between(6, 15)
	default:
		return between(16, 50)
	}
}

// at returns the queues of a group.
func (w *World) at(g int) []int32 { return w.queues[w.starts[g]:w.starts[g+1]] }

// traffic is that of so many users, in messages a second.
func traffic(users int) float64 { return float64(users) * perUserAndDay / (24 * 60 * 60) }

// averageRate is that of an average group, in messages a second.
func (w *World) averageRate() float64 { return w.total / float64(len(w.weight)) }

// alias draws indices by weight in constant time (Vose's method).
type alias struct {
	keep  []float64
	other []int32
}

func newAlias(weight []float64) *alias {
	n, sum := len(weight), 0.0
	for _, x := range weight {
		sum += x
	}
	a := &alias{make([]float64, n), make([]int32, n)}
	var small, large []int32
	for i, x := range weight {
		a.keep[i], a.other[i] = x/sum*float64(n), int32(i)
		if a.keep[i] < 1 {
			small = append(small, int32(i))
		} else {
			large = append(large, int32(i))
		}
	}
	for len(small) > 0 && len(large) > 0 {
		s, l := small[len(small)-1], large[len(large)-1]
		small = small[:len(small)-1]
		a.other[s] = l
		if a.keep[l] -= 1 - a.keep[s]; a.keep[l] < 1 {
			large = large[:len(large)-1]
			small = append(small, l)
		}
	}
	for _, i := range append(small, large...) {
		a.keep[i] = 1 // what is left differs from 1 by rounding
	}
	return a
}

func (a *alias) draw(r *rand.Rand) int {
	i := r.IntN(len(a.keep))
	if r.Float64() < a.keep[i] {
		return i
	}
	return int(a.other[i])
}

// poisson draws a Poisson variate.
func poisson(r *rand.Rand, mean float64) int {
	if mean > 50 { // the normal approximation is good to a few percent of a deviation
		return max(0, int(math.Round(mean+math.Sqrt(mean)*r.NormFloat64())))
	}
	k, p, limit := 0, r.Float64(), math.Exp(-mean)
	for p > limit {
		k++
		p *= r.Float64()
	}
	return k
}
