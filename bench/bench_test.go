package bench

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/pseudods/pseudods/pseudods/seal"
)

// TestMessagesReachTheReaders: what the scenarios measure is a message that
// readers can open, in groups made in each of the ways.
func TestMessagesReachTheReaders(t *testing.T) {
	ctx := context.Background()
	s, err := newSite(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	const members, messages = 3, 4
	crowds, err := s.newCrowds(2, members)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range crowds {
		if err := c.grow(3); err != nil {
			t.Fatal(err)
		}
		h, err := c.update(4)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.hand(h); err != nil {
			t.Fatal(err)
		}
		if n := c.group.Tree().Members(); n != members+3 {
			t.Fatalf("%d members", n)
		}
	}
	if err := s.settle(ctx); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{10, 5000} { // inline and by ticket
		for _, c := range crowds {
			for _, o := range c.owners[:members] {
				l := &listener{owner: o, site: s, reader: seal.NewReader(o.segment, o.queue)}
				if err := l.skip(ctx); err != nil {
					t.Fatal(err)
				}
				for range messages {
					heard := l.listen(ctx)
					m, err := c.message(4, size)
					if err != nil {
						t.Fatal(err)
					}
					if err := s.accept(m); err != nil {
						t.Fatal(err)
					}
					if h := <-heard; h.err != nil {
						t.Fatal(h.err)
					}
				}
			}
		}
	}
	if s.failed.Load() > 0 {
		t.Error("a delivery failed")
	}
}

func TestRatiosSayHowMuchBetter(t *testing.T) {
	for _, tc := range []struct {
		r    Result
		want float64
	}{
		{Result{Value: 10, Baseline: 5, Unit: "deliveries/s"}, 2},
		{Result{Value: 10, Baseline: 5, Unit: "ms"}, 0.5},
		{Result{Value: 10, Unit: "ms"}, 0},
	} {
		if tc.r.better(); tc.r.Ratio != tc.want {
			t.Errorf("%+v: want ratio %v", tc.r, tc.want)
		}
	}
}

// TestResultsAreAList: programs read the results by these names.
func TestResultsAreAList(t *testing.T) {
	r := Result{Name: "fanout_deliveries", Members: 100, PayloadBytes: 1024, Value: 3, Unit: "deliveries/s", Provenance: NewProvenance(7, "pdsbench perf")}
	b, err := json.Marshal([]Result{r})
	if err != nil {
		t.Fatal(err)
	}
	var list []map[string]any
	if err := json.Unmarshal(b, &list); err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Fields("name members payload_bytes value unit baseline ratio commit go cpu cores seed date command") {
		if _, ok := list[0][name]; !ok {
			t.Errorf("no member %q", name)
		}
	}
}

func TestUnknownScenario(t *testing.T) {
	if _, err := Run(context.Background(), Options{Only: []string{"nothing"}}); err == nil {
		t.Error("ran nothing")
	}
}
