package qs

import (
	"sync"
	"time"
)

// generations is a map bounded in size and age: what was not used while half of
// the bound was filled anew, or for one to two times the age, is forgotten. A
// lookup costs no list and an idle key nothing but its entry.
type generations[K comparable, V any] struct {
	half int           // most keys of a generation
	age  time.Duration // of a generation; zero for no limit

	// mu guards what follows.
	mu         sync.Mutex
	young, old map[K]V
	since      time.Time // when young began
}

func newGenerations[K comparable, V any](size int, age time.Duration) *generations[K, V] {
	return &generations[K, V]{half: max(size/2, 1), age: age}
}

// turn begins a new generation if the present one is full or old.
func (g *generations[K, V]) turn(now time.Time) {
	for range 2 {
		if g.young != nil && len(g.young) < g.half && (g.age == 0 || now.Sub(g.since) < g.age) {
			return
		}
		if g.age > 0 && now.Sub(g.since) >= 2*g.age {
			g.young = nil // and with it the next old one
		}
		g.young, g.old, g.since = make(map[K]V), g.young, now
	}
}

func (g *generations[K, V]) get(k K, now time.Time) (v V, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.turn(now)
	if v, ok = g.young[k]; ok {
		return v, true
	}
	if v, ok = g.old[k]; ok {
		delete(g.old, k)
		g.young[k] = v
	}
	return v, ok
}

func (g *generations[K, V]) put(k K, v V, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.turn(now)
	delete(g.old, k)
	g.young[k] = v
}

// add puts v unless there is a value, which it returns with false.
func (g *generations[K, V]) add(k K, v V, now time.Time) (V, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.turn(now)
	for _, m := range []map[K]V{g.young, g.old} {
		if there, ok := m[k]; ok {
			return there, false
		}
	}
	g.young[k] = v
	return v, true
}

func (g *generations[K, V]) delete(k K) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.young, k)
	delete(g.old, k)
}

// expire forgets what is too old, also if nobody asks for anything.
func (g *generations[K, V]) expire(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.turn(now)
}
