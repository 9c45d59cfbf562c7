package ds

import (
	"context"
	"sync"
)

// gates let a number of callers at a time in at each name. A name that nobody uses
// takes no memory.
type gates struct {
	most int

	// mu guards what follows.
	mu sync.Mutex
	of map[string]*gate
}

type gate struct {
	inside chan struct{}
	users  int // inside or waiting
}

func (g *gates) use(name string) *gate {
	g.mu.Lock()
	defer g.mu.Unlock()
	at := g.of[name]
	if at == nil {
		at = &gate{inside: make(chan struct{}, g.most)}
		if g.of == nil {
			g.of = map[string]*gate{}
		}
		g.of[name] = at
	}
	at.users++
	return at
}

func (g *gates) unuse(name string, at *gate) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if at.users--; at.users == 0 {
		delete(g.of, name)
	}
}

// enter waits for room. The caller must leave.
func (g *gates) enter(ctx context.Context, name string) (leave func(), err error) {
	at := g.use(name)
	select {
	case at.inside <- struct{}{}:
		return g.leaving(name, at), nil
	case <-ctx.Done():
		g.unuse(name, at)
		return nil, ctx.Err()
	}
}

// try enters if there is room.
func (g *gates) try(name string) (leave func(), ok bool) {
	at := g.use(name)
	select {
	case at.inside <- struct{}{}:
		return g.leaving(name, at), true
	default:
		g.unuse(name, at)
		return nil, false
	}
}

func (g *gates) leaving(name string, at *gate) func() {
	return func() {
		<-at.inside
		g.unuse(name, at)
	}
}
