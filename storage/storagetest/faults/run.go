package faults

import (
	"errors"
	"fmt"
	"io"
	"testing"
)

var errConnection = errors.New("faults: connection lost")

// Run runs the suite. It makes one site for each step, and as few crashes as it
// takes. In short it fails one step in four, which is what a run under the race
// detector is worth.
func Run[S io.Closer](t *testing.T, newSite func(*testing.T) Site[S], writes []Write[S]) {
	steps := newSite(t).Steps()
	if steps > 250 {
		t.Fatalf("%d steps", steps)
	}
	for step := range steps {
		if testing.Short() && step%4 != 0 {
			continue
		}
		t.Run(fmt.Sprint("step ", step), func(t *testing.T) {
			r := start(t, newSite(t), writes)
			for i := range writes {
				r.at(i, step)
			}
			r.end()
		})
	}
	for _, persists := range []bool{false, true} {
		t.Run(fmt.Sprint("lost connection, persists ", persists), func(t *testing.T) {
			r := start(t, newSite(t), writes)
			for i := range writes {
				r.lost(i, persists)
			}
			r.end()
		})
	}
}

// run is one site, on which each write has been prepared and not done.
type run[S io.Closer] struct {
	*testing.T
	site          Site[S]
	store         S
	writes        []Write[S]
	before, after []string // what each shows
	done          []bool
}

// start prepares the writes, each by its index, and does each once on names of its
// own to learn what it leaves.
func start[S io.Closer](t *testing.T, site Site[S], writes []Write[S]) *run[S] {
	r := &run[S]{T: t, site: site, writes: writes, done: make([]bool, len(writes))}
	r.open()
	t.Cleanup(func() { r.store.Close() })
	for i, w := range writes {
		sample, n := byte(100+i), byte(i)
		for _, n := range []byte{sample, n} {
			if w.Prepare != nil {
				r.must(w, w.Prepare(r.store, n))
			}
		}
		before := r.show(w, sample)
		r.must(w, w.Do(r.store, sample))
		after := r.show(w, sample)
		if before == after {
			t.Fatalf("%s: changes nothing that it shows", w.Name)
		}
		r.must(w, w.Do(r.store, sample))
		if again := r.show(w, sample); again != after {
			t.Fatalf("%s: done again it leaves %q, not %q", w.Name, again, after)
		}
		if shown := r.show(w, n); shown != before {
			t.Fatalf("%s: prepared it shows %q, not %q", w.Name, shown, before)
		}
		r.before, r.after = append(r.before, before), append(r.after, after)
	}
	return r
}

func (r *run[S]) open() {
	r.Helper()
	var err error
	if r.store, err = r.site.Open(); err != nil {
		r.Fatal(err)
	}
}

func (r *run[S]) crash() {
	r.Helper()
	if err := r.site.Crash(); err != nil {
		r.Fatal(err)
	}
	r.open()
}

func (r *run[S]) must(w Write[S], err error) {
	r.Helper()
	if err != nil {
		r.Fatalf("%s: %v", w.Name, err)
	}
}

func (r *run[S]) show(w Write[S], n byte) string {
	r.Helper()
	s, err := w.Show(r.store, n)
	r.must(w, err)
	return s
}

// at does the write at index i on a store that fails at the step, twice: the
// repetition fails there too.
func (r *run[S]) at(i, step int) {
	w := r.writes[i]
	for range 2 {
		r.site.Fail(step)
		err := w.Do(r.store, byte(i))
		r.done[i] = r.done[i] || err == nil
		var shown string
		if err == nil {
			// A step that the store reaches in its own time may break it now.
			shown, err = w.Show(r.store, byte(i))
		}
		if err != nil {
			r.crash()
			shown = r.show(w, byte(i))
		}
		if shown != r.after[i] && (r.done[i] || shown != r.before[i]) {
			r.Fatalf("%s: after %v it shows %q, before %q, done %q", w.Name, err, shown, r.before[i], r.after[i])
		}
		if err == nil {
			break // the step is none of this write's, and still armed
		}
	}
	if !r.done[i] {
		r.must(w, w.Do(r.store, byte(i)))
		r.done[i] = true
	}
}

// lost does the write over a connection that is lost.
func (r *run[S]) lost(i int, persists bool) {
	w := r.writes[i]
	err := errConnection
	if persists {
		err = errors.Join(w.Do(r.store, byte(i)), errConnection)
	}
	want := r.before[i]
	if persists {
		want = r.after[i]
	}
	if shown := r.show(w, byte(i)); shown != want {
		r.Fatalf("%s: after %v it shows %q, want %q", w.Name, err, shown, want)
	}
	r.must(w, w.Do(r.store, byte(i)))
	r.done[i] = true
}

// end checks that all writes are done as they should be, after one crash and after
// two. The first also disarms a step that no write has reached.
func (r *run[S]) end() {
	for range 2 {
		r.crash()
		for i, w := range r.writes {
			if shown := r.show(w, byte(i)); shown != r.after[i] {
				r.Fatalf("%s: in the end it shows %q, want %q", w.Name, shown, r.after[i])
			}
		}
	}
}
