package qs

import (
	"testing"
	"time"
)

func TestGenerationsAreBounded(t *testing.T) {
	g := newGenerations[int, int](100, 0)
	now := time.Unix(0, 0)
	for i := range 1000 {
		g.put(i, i, now)
		if n := len(g.young) + len(g.old); n > 101 {
			t.Fatalf("%d keys", n)
		}
		if v, ok := g.get(0, now); !ok || v != 0 {
			t.Fatalf("a key in use was forgotten after %d others", i)
		}
	}
	if _, ok := g.get(1, now); ok {
		t.Error("an unused key stays")
	}
	if v, ok := g.get(999, now); !ok || v != 999 {
		t.Error("the last key is gone")
	}
	g.delete(999)
	if _, ok := g.get(999, now); ok {
		t.Error("a deleted key stays")
	}
}

func TestGenerationsAge(t *testing.T) {
	g := newGenerations[int, int](100, time.Minute)
	now := time.Unix(1000, 0)
	g.put(1, 1, now)
	g.put(2, 2, now)
	now = now.Add(time.Minute)
	if _, ok := g.get(1, now); !ok {
		t.Error("forgotten before its age")
	}
	now = now.Add(time.Minute)
	if _, ok := g.get(1, now); !ok {
		t.Error("forgotten though it is used")
	}
	if _, ok := g.get(2, now); ok {
		t.Error("an unused key outlives two ages")
	}
	g.expire(now.Add(5 * time.Minute))
	if n := len(g.young) + len(g.old); n != 0 {
		t.Errorf("%d keys after a long idle time", n)
	}
	if v, added := g.add(3, 3, now); !added || v != 3 {
		t.Error("a new key is not added")
	}
	if v, added := g.add(3, 4, now); added || v != 3 {
		t.Error("a value was replaced")
	}
}
