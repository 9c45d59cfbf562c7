package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pseudods/pseudods/storage/postgres"
	"github.com/pseudods/pseudods/storage/postgres/pgtest"
)

func put(ctx context.Context, db *postgres.DB, name, body string) (n int, err error) {
	err = db.Write(ctx, "select sample.put($1, $2)", []any{name, body}, postgres.One(&n))
	return n, err
}

func TestReadAndWrite(t *testing.T) {
	db := pgtest.New(t, sample).Open(t)
	if err := db.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			if _, err := put(t.Context(), db, fmt.Sprint(i), "body"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	var body string
	if err := db.Read(t.Context(), "select sample.body($1)", []any{"31"}, postgres.One(&body)); err != nil || body != "body" {
		t.Fatalf("read %q, %v", body, err)
	}
	if s := db.Stats(); s.Max != postgres.DefaultConns || s.Open < 1 || s.Open > s.Max || s.Used != 0 {
		t.Fatalf("stats %+v", s)
	}
}

// TestLostAnswer cuts connections before the statement and before the answer: a
// write is carried out once, and tells the same.
func TestLostAnswer(t *testing.T) {
	d := pgtest.New(t, sample)
	p := pgtest.NewProxy(t, d.Cluster())
	db, err := postgres.Open(t.Context(), postgres.Config{URL: p.URL(d)}, sample)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for cut := range pgtest.Cuts {
		for times := range 4 {
			p.Arm(pgtest.Cut(cut), times)
			n, err := put(t.Context(), db, fmt.Sprint(cut, times), "x")
			if err != nil || n != 4*cut+times+1 || p.Disarm() != times {
				t.Fatalf("cut %d, %d times: %d, %v", cut, times, n, err)
			}
		}
	}
}

// TestNoAnswer: what is known when no attempt is answered.
func TestNoAnswer(t *testing.T) {
	d := pgtest.New(t, sample)
	p := pgtest.NewProxy(t, d.Cluster())
	// Long enough for an attempt to get to the server, however busy the machine.
	db, err := postgres.Open(t.Context(), postgres.Config{URL: p.URL(d), Timeout: 3 * time.Second}, sample)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	p.Arm(pgtest.BeforeAnswer, -1)
	if _, err := put(t.Context(), db, "a", "x"); !errors.Is(err, postgres.ErrAmbiguous) {
		t.Fatalf("no answer: %v", err)
	}
	p.Disarm()
	var body string
	if err := db.Read(t.Context(), "select sample.body('a')", nil, postgres.One(&body)); err != nil || body != "x" {
		t.Fatalf("the write that was not answered: %q, %v", body, err)
	}
	d.Cluster().Crash()
	if _, err := put(t.Context(), db, "b", "x"); !errors.Is(err, postgres.ErrUnavailable) && !errors.Is(err, postgres.ErrAmbiguous) {
		t.Fatalf("no server: %v", err)
	}
	if _, err := put(t.Context(), db, "b", "x"); !errors.Is(err, postgres.ErrUnavailable) {
		t.Fatalf("no server, no connection: %v", err)
	}
	if err := d.Cluster().Restart(); err != nil {
		t.Fatal(err)
	}
	if n, err := put(t.Context(), db, "b", "x"); err != nil || n != 2 {
		t.Fatalf("after the server came back: %d, %v", n, err)
	}
}

// TestCancelHidesNothing: a write whose context ends on the way is answered.
func TestCancelHidesNothing(t *testing.T) {
	d := pgtest.New(t, sample)
	db, err := postgres.Open(t.Context(), postgres.Config{URL: d.URL(), Timeout: time.Minute}, sample)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	latch := d.Latch(t)
	const wait = "select 1 from " + pgtest.AtLatch
	// waiting makes a call that waits at the server, and ends its context then.
	waiting := func(call func(context.Context) error) (context.Context, chan error) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		answer := make(chan error, 1)
		go func() { answer <- call(ctx) }()
		latch.Await(t, answer)
		return ctx, answer
	}
	var n int
	latch.Close(t)
	ctx, answer := waiting(func(ctx context.Context) error { return db.Write(ctx, wait, nil, postgres.One(&n)) })
	latch.Open(t)
	if err := <-answer; err != nil || n != 1 {
		t.Fatalf("a write that was sent: %d, %v", n, err)
	}
	if err := db.Write(ctx, "select sample.nap(0)", nil, nil); !errors.Is(err, context.Canceled) {
		t.Fatalf("a write under a context that has ended: %v", err)
	}
	latch.Close(t)
	if _, answer = waiting(func(ctx context.Context) error { return db.Read(ctx, wait, nil, nil) }); !errors.Is(<-answer, context.Canceled) {
		t.Fatal("a read whose context ended was answered")
	}
}

// TestServerErrors: what the server says of a statement, and that its words stay
// in: they can quote values.
func TestServerErrors(t *testing.T) {
	d := pgtest.New(t, sample)
	db, err := postgres.Open(t.Context(), postgres.Config{URL: d.URL(), Timeout: 5 * time.Second}, sample)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var wg sync.WaitGroup
	for state, want := range map[string]error{
		"40001": postgres.ErrBusy, "40P01": postgres.ErrBusy, "55P03": postgres.ErrBusy, "57014": postgres.ErrBusy,
		"53100": postgres.ErrUnavailable, "25006": postgres.ErrUnavailable, "57P03": postgres.ErrUnavailable,
		"23505": postgres.ErrRefused, "P0001": postgres.ErrRefused, "XX000": postgres.ErrRefused,
	} {
		wg.Go(func() { // what is tried again takes all its time
			err := db.Write(t.Context(), "select sample.clash($1)", []any{state}, nil)
			if !errors.Is(err, want) || postgres.Code(err) != state || strings.Contains(err.Error(), "clash") {
				t.Errorf("%s: %v", state, err)
			}
		})
	}
	wg.Wait()
	if err := db.Write(t.Context(), "select sample.nap(30)", nil, nil); !errors.Is(err, postgres.ErrBusy) && !errors.Is(err, postgres.ErrAmbiguous) {
		t.Errorf("too slow: %v", err)
	}
	boom := errors.New("boom")
	if err := db.Read(t.Context(), "select 1", nil, func(postgres.Rows) error { return boom }); !errors.Is(err, boom) {
		t.Errorf("the caller's own error: %v", err)
	}
}

// TestBackendKilled: sessions that an administrator ends are replaced.
func TestBackendKilled(t *testing.T) {
	d := pgtest.New(t, sample)
	db := d.Open(t)
	for i := range 20 {
		if err := d.Exec("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"); err != nil {
			t.Fatal(err)
		}
		if n, err := put(t.Context(), db, fmt.Sprint(i), "x"); err != nil || n != i+1 {
			t.Fatalf("round %d: %d, %v", i, n, err)
		}
	}
}

func TestConfigErrors(t *testing.T) {
	for name, cfg := range map[string]postgres.Config{
		"url":     {URL: "postgres://user:secret@:port:/x"},
		"size":    {URL: "postgres:///x", MaxConns: -1},
		"timeout": {URL: "postgres:///x", Timeout: -1},
		"risk":    {URL: "postgres:///x", Accept: []postgres.Risk{"whatever"}},
	} {
		if _, err := postgres.Open(t.Context(), cfg); !errors.Is(err, postgres.ErrConfig) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	cfg := postgres.Config{URL: "postgres:///x?host=" + t.TempDir(), Timeout: 100 * time.Millisecond}
	if _, err := postgres.Open(t.Context(), cfg, sample); !errors.Is(err, postgres.ErrUnavailable) {
		t.Errorf("nobody there: %v", err)
	}
}
