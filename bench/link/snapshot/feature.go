package snapshot

import (
	"maps"
	"math"
	"slices"
)

// Feature is what the auditor goes by.
type Feature string

// The features, see the package comment.
const (
	Value     Feature = "value"
	Size      Feature = "size"
	Adjacency Feature = "adjacency"
	Batch     Feature = "batch"
	Order     Feature = "order"
	Version   Feature = "version"
	Time      Feature = "time"
)

// Features are all there are.
var Features = []Feature{Value, Size, Adjacency, Batch, Order, Version, Time}

// similarity returns how likely a feature says that two subjects are linked; the
// number means something only beside others of the same feature.
func (e *evidence) similarity(f Feature) func(a, b *subject) float64 {
	switch f {
	case Value:
		rare := rarity(e.subjects, func(s *subject) map[uint64]bool { return s.grams })
		return func(a, b *subject) float64 { return shared(a.grams, b.grams, rare) }
	case Size:
		return e.sizes()
	case Adjacency:
		return func(a, b *subject) float64 {
			if a.store != b.store {
				return -nearest(scaled(a.places, e.stores[a.store].records), scaled(b.places, e.stores[b.store].records))
			}
			return -nearest(scaled(a.places, 1), scaled(b.places, 1))
		}
	case Batch:
		return func(a, b *subject) float64 {
			if a.store == b.store {
				return cosine(smeared(a.batches, 1), smeared(b.batches, 1))
			}
			return cosine(smeared(a.messages, e.scale(a)), smeared(b.messages, e.scale(b)))
		}
	case Order:
		return e.order()
	case Version:
		rare := rarity(e.subjects, func(s *subject) map[uint64]bool { return set(s.versions) })
		return func(a, b *subject) float64 { return jaccard(set(a.versions), set(b.versions), rare) }
	default:
		own := e.ownTimes()
		return func(a, b *subject) float64 { return -math.Log1p(nearest(own[a], own[b])) }
	}
}

// ownTimes leaves out the times that more than half of a kind's things have.
func (e *evidence) ownTimes() map[*subject][]float64 {
	type at struct {
		kind Kind
		time float64
	}
	have, all := map[at]int{}, map[Kind]int{}
	for _, s := range e.subjects {
		all[s.kind]++
		slices.Sort(s.times)
		s.times = slices.Compact(s.times)
		for _, t := range s.times {
			have[at{s.kind, t}]++
		}
	}
	out := map[*subject][]float64{}
	for _, s := range e.subjects {
		for _, t := range s.times {
			if 2*have[at{s.kind, t}] <= all[s.kind] {
				out[s] = append(out[s], t)
			}
		}
	}
	return out
}

// scale brings the batches with messages of a subject's store to a common number.
func (e *evidence) scale(s *subject) float64 {
	return 1000 / float64(max(1, e.stores[s.store].messages))
}

// joined is what two stores tell together: things of one kind are alike if the
// same things of the other store's kind are like both.
func (e *evidence) joined(f Feature, witnesses Kind) func(a, b *subject) float64 {
	like := e.similarity(f)
	var all []*subject
	for _, s := range e.subjects {
		if s.kind == witnesses {
			all = append(all, s)
		}
	}
	rows := map[*subject][]float64{}
	row := func(s *subject) []float64 {
		if rows[s] == nil {
			for _, w := range all {
				rows[s] = append(rows[s], like(s, w))
			}
		}
		return rows[s]
	}
	return func(a, b *subject) float64 { return correlation(row(a), row(b)) }
}

// sizes compares shapes of things of one kind, and ranks by volume of others.
func (e *evidence) sizes() func(a, b *subject) float64 {
	volumes := map[Kind][]float64{}
	for _, s := range e.subjects {
		volumes[s.kind] = append(volumes[s.kind], s.volume())
	}
	for _, v := range volumes {
		slices.Sort(v)
	}
	rank := func(s *subject) float64 {
		i, _ := slices.BinarySearch(volumes[s.kind], s.volume())
		return float64(i) / float64(len(volumes[s.kind]))
	}
	return func(a, b *subject) float64 {
		if a.kind != b.kind {
			return -math.Abs(rank(a) - rank(b))
		}
		x, y := a.shape(), b.shape()
		far := 0.0
		for k, v := range x {
			far += math.Abs(v - y[k])
		}
		for k, v := range y {
			if _, ok := x[k]; !ok {
				far += math.Abs(v)
			}
		}
		return -far
	}
}

// rarity weighs values by the logarithm of how few subjects have them.
func rarity[K comparable](all []*subject, of func(*subject) map[K]bool) map[K]float64 {
	out := map[K]float64{}
	for _, s := range all {
		for k := range of(s) {
			out[k]++
		}
	}
	for k, n := range out {
		out[k] = math.Log(float64(len(all)) / n)
	}
	return out
}

func shared[K comparable](a, b map[K]bool, weight map[K]float64) (sum float64) {
	if len(b) < len(a) {
		a, b = b, a
	}
	var found []float64
	for k := range a {
		if b[k] {
			found = append(found, weight[k])
		}
	}
	slices.Sort(found) // so that the sum does not depend on the map's order
	for _, x := range found {
		sum += x
	}
	return sum
}

func jaccard[K comparable](a, b map[K]bool, weight map[K]float64) float64 {
	both := shared(a, b, weight)
	if all := shared(a, a, weight) + shared(b, b, weight) - both; all > 0 {
		return both / all
	}
	return 0
}

func set(m map[uint64]int) map[uint64]bool {
	out := map[uint64]bool{}
	for k := range m {
		out[k] = true
	}
	return out
}

func scaled(places []int, by int) []float64 {
	out := make([]float64, len(places))
	for i, p := range places {
		out[i] = float64(p) / float64(max(1, by))
	}
	return out
}

// far is how far things are from each other of which nothing is known.
const far = 1e12

func nearest(a, b []float64) float64 {
	near := far
	for _, x := range a {
		for _, y := range b {
			near = min(near, math.Abs(x-y))
		}
	}
	return near
}

// smeared has places count for the ones beside them, half as much.
func smeared(places map[int]float64, scale float64) map[int]float64 {
	out := map[int]float64{}
	for p := range places {
		at := int(math.Round(float64(p) * scale))
		reach := max(1, int(math.Ceil(scale)))
		for d := -reach; d <= reach; d++ {
			out[at+d] = max(out[at+d], 1-math.Abs(float64(d))/float64(reach+1))
		}
	}
	return out
}

func cosine(a, b map[int]float64) float64 {
	dot, x, y := 0.0, 0.0, 0.0
	for _, k := range slices.Sorted(maps.Keys(a)) {
		dot += a[k] * b[k]
		x += a[k] * a[k]
	}
	for _, k := range slices.Sorted(maps.Keys(b)) {
		y += b[k] * b[k]
	}
	if x == 0 || y == 0 {
		return 0
	}
	return dot / math.Sqrt(x*y)
}

// order is how much nearer things lie in the batches that have both than others
// that these batches have: else it would say what Batch says.
func (e *evidence) order() func(a, b *subject) float64 {
	type at struct {
		store Store
		batch int
	}
	mates := map[at][]*subject{}
	for _, s := range e.subjects {
		for b := range s.spots {
			mates[at{s.store, b}] = append(mates[at{s.store, b}], s)
		}
	}
	closeness := func(a, b *subject, batch int) float64 {
		return 1 / (1 + nearest(scaled(a.spots[batch], 1), scaled(b.spots[batch], 1)))
	}
	usual := map[at]float64{}
	for k, all := range mates {
		sum, n := 0.0, 0
		for i, a := range all {
			for _, b := range all[:i] {
				if a.kind == b.kind {
					sum, n = sum+closeness(a, b, k.batch), n+1
				}
			}
		}
		usual[k] = sum / float64(max(1, n))
	}
	return func(a, b *subject) float64 {
		sum, n := 0.0, 0
		for _, batch := range slices.Sorted(maps.Keys(a.spots)) {
			if b.spots[batch] != nil {
				sum, n = sum+closeness(a, b, batch)-usual[at{a.store, batch}], n+1
			}
		}
		return sum / float64(max(1, n))
	}
}

func correlation(a, b []float64) float64 {
	n := float64(len(a))
	mean := func(x []float64) (m float64) {
		for _, v := range x {
			m += v / n
		}
		return m
	}
	ma, mb := mean(a), mean(b)
	dot, x, y := 0.0, 0.0, 0.0
	for i := range a {
		dot += (a[i] - ma) * (b[i] - mb)
		x += (a[i] - ma) * (a[i] - ma)
		y += (b[i] - mb) * (b[i] - mb)
	}
	if x == 0 || y == 0 {
		return 0
	}
	return dot / math.Sqrt(x*y)
}
