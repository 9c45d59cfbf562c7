package bench

import (
	"context"
	"runtime"
)

// idle measures the heap that is left of queues and groups which nobody uses any
// more.
func idle(ctx context.Context, e *env) error {
	n := sized(e, []int{20_000}, []int{100_000})[0]
	err := e.grown("idle_queue_memory", n, func(s *site) error {
		_, err := s.newOwners(n)
		return err
	})
	if err != nil {
		return err
	}
	n = sized(e, []int{1_000}, []int{10_000})[0]
	return e.grown("idle_group_memory", n, func(s *site) error {
		return each(n, 64, func(int) error {
			_, err := s.newCrowd(nil)
			return err
		})
	})
}

// grown emits by how much the heap grew for each of n.
func (e *env) grown(name string, n int, make func(*site) error) error {
	dir, remove, err := e.tempDir()
	if err != nil {
		return err
	}
	defer remove()
	s, err := newSite(dir)
	if err != nil {
		return err
	}
	defer s.close()
	before := heap()
	if err := make(s); err != nil {
		return err
	}
	after := heap()
	e.emit(Result{Name: name, Value: max(0, float64(int64(after)-int64(before))/float64(n)), Unit: "B"})
	return nil
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
