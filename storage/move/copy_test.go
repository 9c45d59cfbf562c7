package move_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"sync/atomic"
	"testing"

	"github.com/pseudods/pseudods/storage/move"
)

// source has records 1 to n. Record 5 becomes no row, and those that 4 divides two.
type source struct{ n, lost uint64 }

func (s source) Each(ctx context.Context, after []byte, f func([]byte, []move.Row) error) error {
	first := uint64(1)
	if after != nil {
		first = binary.BigEndian.Uint64(after) + 1
	}
	for i := first; i <= s.n; i++ {
		if i == s.lost {
			continue
		}
		var rows []move.Row
		if i != 5 {
			rows = append(rows, move.Row{Table: "a", Values: []any{int64(i), i%2 == 0, fmt.Appendf(nil, "%d", i)}})
		}
		if i%4 == 0 {
			rows = append(rows, move.Row{Table: "b", Values: []any{[16]byte{byte(i)}, nil}})
		}
		if err := f(binary.BigEndian.AppendUint64(nil, i), rows); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (s source) Count(context.Context) (uint64, error) { return s.n, nil }

// target is one in memory.
type target struct {
	state []byte
	rows  map[string][][]any
}

func (t *target) State(context.Context, string) ([]byte, error) { return t.state, nil }

func (t *target) Load(_ context.Context, _ string, state []byte, rows []move.Row) error {
	t.state = bytes.Clone(state)
	for _, r := range rows {
		t.rows[r.Table] = append(t.rows[r.Table], r.Values)
	}
	return nil
}

func (t *target) Digest(_ context.Context, table string) (d move.Digest, err error) {
	for i := range t.rows[table] { // in another order than they came
		if err := d.Add(t.rows[table][len(t.rows[table])-1-i]); err != nil {
			return d, err
		}
	}
	return d, nil
}

func store(s source) *move.Store {
	return &move.Store{Name: "store", Tables: []string{"a", "b"}, Source: s, State: []byte("state")}
}

// TestCutShortAnywhere ends a copy at each of its steps, once, and goes on after
// that: what is copied is always the same.
func TestCutShortAnywhere(t *testing.T) {
	cut := errors.New("cut")
	var want *move.State
	for at := 0; ; at++ {
		to := &target{rows: map[string][][]any{}}
		var steps atomic.Int64
		cfg := move.Config{ChunkRows: 4, Fault: func(move.Step) error {
			if steps.Add(1) == int64(at) {
				return cut
			}
			return nil
		}}
		_, err := move.Copy(t.Context(), to, store(source{n: 30}), cfg)
		if err != nil && !errors.Is(err, cut) {
			t.Fatalf("cut at %d: %v", at, err)
		}
		if at > 0 && err == nil {
			if at < 50 {
				t.Errorf("a copy has %d steps", at)
			}
			return
		}
		got, err := move.Copy(t.Context(), to, store(source{n: 30}), cfg)
		if err != nil {
			t.Fatalf("after a cut at %d: %v", at, err)
		}
		if want == nil {
			want = got
		}
		if !got.Done || got.Records != 30 || !maps.Equal(got.Tables, want.Tables) || len(to.rows["a"]) != 29 || len(to.rows["b"]) != 7 {
			t.Fatalf("after a cut at %d: %+v, want %+v", at, got, want)
		}
	}
}

func TestCopyFindsWhatIsLost(t *testing.T) {
	empty := func() *target { return &target{rows: map[string][][]any{}} }
	t.Run("source", func(t *testing.T) {
		for lost := range uint64(10) {
			if _, err := move.Copy(t.Context(), empty(), store(source{n: 10, lost: lost + 1}), move.Config{}); !errors.Is(err, move.ErrDiffers) {
				t.Errorf("record %d is not read: %v", lost+1, err)
			}
		}
	})
	for name, spoil := range map[string]func(to *target){
		"row lost":    func(to *target) { to.rows["a"] = to.rows["a"][1:] },
		"row twice":   func(to *target) { to.rows["b"] = append(to.rows["b"], to.rows["b"][0]) },
		"value":       func(to *target) { to.rows["a"][3][1] = !to.rows["a"][3][1].(bool) },
		"number":      func(to *target) { to.rows["a"][0][0] = int64(77) },
		"null":        func(to *target) { to.rows["b"][0][1] = []byte{} },
		"other table": func(to *target) { to.rows["b"] = append(to.rows["b"], to.rows["a"][0]) },
	} {
		t.Run(name, func(t *testing.T) {
			to := empty()
			_, err := move.Copy(t.Context(), to, store(source{n: 10}), move.Config{ChunkRows: 3, Fault: func(s move.Step) error {
				if s == move.StepCompare && len(to.rows) > 0 && spoil != nil {
					spoil(to)
					spoil = nil
				}
				return nil
			}})
			if !errors.Is(err, move.ErrDiffers) {
				t.Error(err)
			}
		})
	}
	t.Run("another source", func(t *testing.T) {
		to := empty()
		if _, err := move.Copy(t.Context(), to, store(source{n: 10}), move.Config{}); err != nil {
			t.Fatal(err)
		}
		s := store(source{n: 10})
		s.State = []byte("other")
		if _, err := move.Copy(t.Context(), to, s, move.Config{}); !errors.Is(err, move.ErrSource) {
			t.Error(err)
		}
	})
	t.Run("value of no type", func(t *testing.T) {
		if err := new(move.Digest).Add([]any{"text"}); !errors.Is(err, move.ErrValue) {
			t.Error(err)
		}
	})
}
