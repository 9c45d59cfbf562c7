package snapshot

import (
	"math/rand/v2"
	"slices"
)

// Target is a question that the auditor is asked: which b belongs to an a?
type Target struct {
	Name string
	A, B Kind
}

// Targets are all there are.
var Targets = []Target{
	{"members", Member, Member},
	{"member to queue", Member, Queue},
	{"queues", Queue, Queue},
	{"groups", Group, Group},
	{"pool to queue", Pool, Queue},
	{"account to queue", Account, Queue},
}

// eligible reports whether b may belong to a: two members of one group are known
// to be two clients.
func (t Target) eligible(a, b *subject) bool {
	return a.kind == t.A && b.kind == t.B && a.thing != b.thing && !(a.kind == Member && b.kind == Member && a.id == b.id)
}

// answer is how well the auditor did for one thing.
type answer struct {
	cluster     int // the user whose it is, or the group
	rank, first float64
}

// ask has the auditor answer a target by a similarity.
func ask(t Target, subjects []*subject, like func(a, b *subject) float64) (out []answer) {
	for i, a := range subjects {
		var yes, no []float64
		for _, b := range subjects {
			if !t.eligible(a, b) {
				continue
			}
			if x := like(a, b); linked(a.thing, b.thing) {
				yes = append(yes, x)
			} else {
				no = append(no, x)
			}
		}
		if len(yes) == 0 || len(no) == 0 {
			continue
		}
		cluster := i
		if a.kind != Group {
			for u := range a.users {
				cluster = u
			}
		}
		out = append(out, answer{cluster, advantage(yes, no), firstGuess(yes, no)})
	}
	return out
}

// advantage is 2a-1 with a the share of pairs in which yes ranks over no.
func advantage(yes, no []float64) float64 {
	slices.Sort(no)
	sum := 0.0
	for _, x := range yes {
		below, _ := slices.BinarySearch(no, x)
		upTo := below
		for upTo < len(no) && no[upTo] == x {
			upTo++
		}
		sum += float64(below) + float64(upTo-below)/2
	}
	return 2*sum/float64(len(yes)*len(no)) - 1
}

// firstGuess is how much better than a blind one the guess on top is.
func firstGuess(yes, no []float64) float64 {
	top := max(slices.Max(yes), slices.Max(no))
	count := func(all []float64) (n float64) {
		for _, x := range all {
			if x == top {
				n++
			}
		}
		return n
	}
	blind := float64(len(yes)) / float64(len(yes)+len(no))
	p := count(yes) / (count(yes) + count(no))
	return (p - blind) / (1 - blind)
}

// Score is a mean with its interval of 95 %.
type Score struct{ Value, Low, High float64 }

// resamples of users for an interval.
const resamples = 1000

// score is the mean of answers, and the interval by resampling clusters.
func score(answers []answer, of func(answer) float64, r *rand.Rand) (s Score) {
	sums, counts := map[int]float64{}, map[int]float64{}
	var clusters []int
	total := 0.0
	for _, a := range answers {
		if counts[a.cluster] == 0 {
			clusters = append(clusters, a.cluster)
		}
		sums[a.cluster] += of(a)
		counts[a.cluster]++
		total += of(a)
	}
	s.Value = total / float64(len(answers))
	means := make([]float64, resamples)
	for i := range means {
		sum, n := 0.0, 0.0
		for range clusters {
			c := clusters[r.IntN(len(clusters))]
			sum, n = sum+sums[c], n+counts[c]
		}
		means[i] = sum / n
	}
	slices.Sort(means)
	s.Low, s.High = means[resamples*25/1000], means[resamples*975/1000-1]
	return s
}
