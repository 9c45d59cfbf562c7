package snapshot

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/pseudods/pseudods/pseudods/server"
	"github.com/pseudods/pseudods/storage/badger"
)

// TestINV02Snapshot plays a small provider. The auditor finds every leak that is
// planted, and where nothing is planted no value that a member's records share with another's or
// with a queue (INV-02), and neither batches nor their order in what is left of a
// stopped provider.
func TestINV02Snapshot(t *testing.T) {
	results, err := Run(t.Context(), t.TempDir(), Config{Seed: 3, Worlds: 1, Users: 9, Groups: 7, Before: 16, Last: 20})
	if err != nil {
		t.Fatal(err)
	}
	found := map[Feature]bool{}
	asked := map[string]bool{}
	for _, r := range results {
		if r.Planted {
			found[r.Feature] = found[r.Feature] || r.Advantage.Value > 0.4
			continue
		}
		asked[r.Target] = true
		if r.Things == 0 {
			t.Errorf("nothing was asked about %s by %s", r.Target, r.Feature)
		}
		if r.Feature == Value && (r.Target == "members" || r.Target == "member to queue") && r.Advantage.High > 0.1 {
			t.Errorf("INV-02: %s are linked by values: %+v", r.Target, r)
		}
		if r.State == "stopped" && (r.Feature == Batch || r.Feature == Order) && r.Advantage.Value != 0 {
			t.Errorf("a stopped provider shows its batches: %+v", r)
		}
	}
	for _, f := range Features {
		if !found[f] {
			t.Errorf("the leak planted for %s is not found", f)
		}
	}
	if len(asked) != len(Targets) {
		t.Errorf("%d targets", len(asked))
	}
}

// TestEncryptedStores: whoever has the key of encrypted stores sees their records, in
// the journals and in the tables.
func TestEncryptedStores(t *testing.T) {
	things, copies, err := playIn(t.Context(), t.TempDir(), Config{Seed: 3, Users: 3, Groups: 2, Before: 3, Last: 3, Encrypted: true})
	if err != nil || len(copies) != 2 {
		t.Fatalf("%d copies, %v", len(copies), err)
	}
	for _, c := range copies {
		batches := 0
		e := examine(c, things)
		for _, s := range e.subjects {
			batches += len(s.batches)
		}
		if len(e.subjects) < 5 || (batches > 0) != (c.State == "running") {
			t.Errorf("%s: %d subjects in %d batches", c.State, len(e.subjects), batches)
		}
	}
}

// TestSameSeedSamePeople: the seed decides who is where.
func TestSameSeedSamePeople(t *testing.T) {
	plan := func(seed uint64) (out [][]int) {
		w := newWorld(t.Context(), t.TempDir(), Config{Seed: seed, Users: 10, Groups: 8})
		steps := len(w.plan())
		for _, c := range w.groups {
			out = append(out, []int{steps, c.founder.number, int(1e6 * c.rate)})
		}
		return out
	}
	if first := plan(1); !reflect.DeepEqual(first, plan(1)) || reflect.DeepEqual(first, plan(2)) {
		t.Error("the seed does not decide who is where")
	}
}

// TestScores compares both scores with what they are by definition.
func TestScores(t *testing.T) {
	for _, tc := range []struct {
		yes, no     []float64
		rank, first float64
	}{
		{[]float64{3}, []float64{1, 2}, 1, 1},
		{[]float64{0}, []float64{1, 2}, -1, -0.5},
		{[]float64{1}, []float64{1, 1, 1}, 0, 0},
		{[]float64{2, 0}, []float64{1}, 0, 1},
	} {
		if got := advantage(tc.yes, tc.no); got != tc.rank {
			t.Errorf("%v over %v: %v", tc.yes, tc.no, got)
		}
		if got := firstGuess(tc.yes, tc.no); math.Abs(got-tc.first) > 1e-9 {
			t.Errorf("first of %v and %v: %v", tc.yes, tc.no, got)
		}
	}
	var answers []answer
	for i := range 40 {
		answers = append(answers, answer{cluster: i / 2, rank: float64(i % 4 / 2)})
	}
	s := score(answers, func(a answer) float64 { return a.rank }, rand.New(rand.NewPCG(1, 1)))
	if s.Value != 0.5 || s.Low > 0.35 || s.High < 0.65 || s.Low < 0.2 || s.High > 0.8 {
		t.Errorf("mean of 20 users, half of them 1: %+v", s)
	}
}

// TestExamine: the auditor reads a copy as it is.
func TestExamine(t *testing.T) {
	group, queue := string(make([]byte, 32)), string(make([]byte, 16))
	things := []*thing{{kind: Group, id: group, client: -1, users: map[int]bool{0: true}}, {kind: Member, id: group, leaf: 3, users: map[int]bool{0: true}},
		{kind: Queue, id: queue, users: map[int]bool{0: true}}, {kind: Queue, id: "somebody else's!", client: 1, users: map[int]bool{1: true}}}
	head := make([]byte, 44)
	head[11], head[43] = 7, 2
	c := &Copy{Stores: map[Store][]badger.Sighting{
		{server.DS, "groups"}: {
			{Key: []byte("r" + group + "n\x00\x00\x00\x06epoch..."), Value: []byte("a sealed leaf"), Batch: 4},
			{Key: []byte("o" + group + "part"), Value: []byte("a message"), Batch: 4},
			{Key: []byte("r" + group + "n\x00\x00\x00\x05epoch..."), Value: []byte("a sealed parent"), Version: 9},
		},
		{server.QS, "queues"}: {
			{Key: []byte("h" + queue), Value: head, Version: 5},
			{Key: []byte("e" + queue + "number"), Value: []byte("an entry"), Version: 6},
		},
	}}
	e := examine(c, things)
	if len(e.subjects) != 3 {
		t.Fatalf("%d subjects", len(e.subjects))
	}
	g, m, q := e.subjects[0], e.subjects[1], e.subjects[2]
	if len(m.batches) != 1 || len(m.versions) != 0 || len(m.messages) != 1 || m.group != g {
		t.Errorf("member: %+v", m)
	}
	if len(g.batches) != 1 || g.versions[9] != 1 || g.octets['n'] != 28 {
		t.Errorf("group: %+v", g)
	}
	if !slices.Equal(q.counters, []float64{7, 0, 2}) || !slices.Equal(q.places, []int{1, 2}) || q.octets['e'] != 8 {
		t.Errorf("queue: %+v", q)
	}
}
