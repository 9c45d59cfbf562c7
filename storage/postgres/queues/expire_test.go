package queues_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/pseudods/pseudods/storage/postgres"
	"github.com/pseudods/pseudods/storage/postgres/pgtest"
	"github.com/pseudods/pseudods/storage/postgres/queues"
)

// TestAlone: of two processes one walks within the hour, and the other after a walk
// that failed or whose process died.
func TestAlone(t *testing.T) {
	d := pgtest.New(t, postgres.DutySchema, queues.Schema)
	var stores [2]*queues.Store
	for i := range stores {
		s, err := queues.New(d.Open(t), wakeKey)
		if err != nil {
			t.Fatal(err)
		}
		stores[i] = s
	}
	walks := func(i int, fail error) (walked bool) {
		t.Helper()
		err := stores[i].Alone(t.Context(), time.Hour, func(context.Context) error {
			walked = true
			return fail
		})
		if walked && !errors.Is(err, fail) || !walked && err != nil {
			t.Fatal(err)
		}
		return walked
	}
	if !walks(0, errors.New("walk failed")) || !walks(1, nil) || walks(0, nil) || !walks(1, nil) {
		t.Fatal("not who should")
	}
	if err := d.Exec("update duty.duty set until = clock_timestamp() - interval '1 ms'"); err != nil {
		t.Fatal(err)
	}
	if !walks(0, nil) || walks(1, nil) {
		t.Fatal("not taken over")
	}
}
