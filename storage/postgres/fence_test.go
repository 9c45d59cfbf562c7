package postgres_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/pseudods/pseudods/storage/postgres"
	"github.com/pseudods/pseudods/storage/postgres/pgtest"
)

// TestBeat: what is written while a number is on its way, and so need not be in a copy
// that has the number, or before a call that takes none, gets the next one.
func TestBeat(t *testing.T) {
	d := pgtest.New(t, postgres.FenceSchema, postgres.DutySchema)
	db := d.Open(t)
	f, err := postgres.OpenFence(t.Context(), db, postgres.FenceConfig{Path: filepath.Join(t.TempDir(), "fence")})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	beside := func() error {
		_, err := postgres.NewDuties(db).Claim(t.Context(), "beside", time.Minute)
		return err
	}
	at := func() (n int64) {
		t.Helper()
		if err := d.Cluster().Query(d.Name(), "select number from fence.witness", &n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	var number int64
	for _, write := range []postgres.Write{
		func(ctx context.Context, witness []byte, next int64) (int64, error) {
			number, err = f.Step(0)(ctx, witness, next)
			if err == nil {
				err = beside()
			}
			return number, err
		},
		func(_ context.Context, _ []byte, next int64) (int64, error) {
			number = next - 1
			return number, beside()
		},
	} {
		if err := f.Do(t.Context(), 0, nil, write); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(time.Minute); at() == number; time.Sleep(50 * time.Millisecond) {
			if time.Now().After(end) {
				t.Error("nothing watches over it")
				break
			}
		}
		last := at() // and there it ends
		if time.Sleep(3 * time.Second); at() != last {
			t.Errorf("at %d without a write, %d before", at(), last)
		}
	}
}
