package link

import "math/rand/v2"

// PaperSetting is one setting of the published simulation.
type PaperSetting struct {
	Users    int
	Messages int // in an epoch, receipts aside
	Popular  int // users who get a message in every epoch
	// Associates get the target's receipts, each equally often.
	Associates int
	// Missing is the probability that a target epoch has no receipt.
	Missing float64
	Epochs  int // target epochs of a trial
}

// letter is one message of the record of past target epochs. It is shared by
// those epochs that repeat it.
type letter struct{ from, to int32 }

// paperTrial is the state of one trial.
type paperTrial struct {
	PaperSetting
	rand   *rand.Rand
	record [][]*letter
	tally  *ranking
	seen   []int32 // epoch in which a user was last counted
	epoch  int32
	pop    []int32
}

// run returns, after each target epoch, the best and the worst rank of an
// associate.
func (s PaperSetting) run(r *rand.Rand) (best, worst []int) {
	t := &paperTrial{PaperSetting: s, rand: r, tally: newRanking(s.Users, 2*s.Epochs), seen: make([]int32, s.Users)}
	roles := distinct(r, s.Users, s.Popular+1+s.Associates)
	t.pop = roles[:s.Popular]
	target, associates := roles[s.Popular], roles[s.Popular+1:]
	for range s.Epochs {
		letters := t.traffic()
		receipt := &letter{target, associates[r.IntN(len(associates))]}
		if r.Float64() < s.Missing {
			receipt = &letter{int32(r.IntN(s.Users)), int32(r.IntN(s.Users))}
		}
		letters = append(letters, receipt)
		t.record = append(t.record, letters)
		t.count(letters, 1)
		low, high := s.Users, 0
		for _, a := range associates {
			rank := t.tally.rank(a)
			low, high = min(low, rank), max(high, rank)
		}
		best, worst = append(best, low), append(worst, high)
		t.count(t.traffic(), -1)
	}
	return best, worst
}

// traffic draws the messages of an epoch.
func (t *paperTrial) traffic() []*letter {
	var out []*letter
	if len(t.record) > 0 {
		past := func() *letter {
			epoch := t.record[t.rand.IntN(len(t.record))]
			return epoch[t.rand.IntN(len(epoch))]
		}
		for range t.Messages / 4 {
			l := past()
			l.from, l.to = l.to, l.from
			out = append(out, l)
		}
		for range t.Messages / 4 {
			out = append(out, past())
		}
	}
	for len(out) < t.Messages {
		out = append(out, &letter{int32(t.rand.IntN(t.Users)), int32(t.rand.IntN(t.Users))})
	}
	for _, p := range t.pop {
		out = append(out, &letter{int32(t.rand.IntN(t.Users)), p})
	}
	return out
}

// count adds to the score of each recipient once.
func (t *paperTrial) count(letters []*letter, d int) {
	t.epoch++
	for _, l := range letters {
		if t.seen[l.to] != t.epoch {
			t.seen[l.to] = t.epoch
			t.tally.add(l.to, d)
		}
	}
}

// distinct draws k different numbers below n.
func distinct(r *rand.Rand, n, k int) []int32 {
	out := make([]int32, 0, k)
	have := make(map[int32]bool, k)
	for len(out) < k {
		if u := int32(r.IntN(n)); !have[u] {
			have[u] = true
			out = append(out, u)
		}
	}
	return out
}

// ranking keeps scores of n users and how many have each.
type ranking struct {
	score  []int16
	having []int // by score, from -most
	most   int
}

func newRanking(n, most int) *ranking {
	r := &ranking{score: make([]int16, n), having: make([]int, 2*most+1), most: most}
	r.having[most] = n
	return r
}

func (r *ranking) add(u int32, d int) {
	r.having[int(r.score[u])+r.most]--
	r.score[u] += int16(d)
	r.having[int(r.score[u])+r.most]++
}

// rank is how many users have the user's score or a higher one.
func (r *ranking) rank(u int32) int {
	n := 0
	for _, k := range r.having[int(r.score[u])+r.most:] {
		n += k
	}
	return n
}
