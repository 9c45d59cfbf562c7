package ledger_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/pseudods/pseudods/storage/postgres"
	"github.com/pseudods/pseudods/storage/postgres/ledger"
	"github.com/pseudods/pseudods/storage/postgres/pgtest"
	"github.com/pseudods/pseudods/storage/storagetest"
	"github.com/pseudods/pseudods/tokens"
)

// TestINV04Failover promotes a standby. One that was waited for has every token,
// and the ledger goes on with it. One that was not lacks a token that was
// acknowledged: the ledger notices by itself, and fences its epochs when it is
// opened again.
func TestINV04Failover(t *testing.T) {
	for name, synchronous := range map[string]bool{"synchronous": true, "asynchronous": false} {
		t.Run(name, func(t *testing.T) {
			primary := pgtest.Start(t)
			d := pgtest.On(t, primary, postgres.FenceSchema, ledger.Schema)
			standby := primary.Standby(t, "standby_a")
			cfg := postgres.Config{URL: d.FailoverURL(standby), Accept: []postgres.Risk{postgres.RiskAsynchronousStandby}}
			if synchronous {
				if err := primary.Configure("synchronous_standby_names", "standby_a"); err != nil {
					t.Fatal(err)
				}
			} else {
				var risk *postgres.RiskError
				if _, err := postgres.Open(t.Context(), cfg, postgres.FenceSchema, ledger.Schema); !errors.As(err, &risk) {
					t.Fatalf("a standby that nobody waits for: %v", err)
				}
				cfg.Accept = append(cfg.Accept, postgres.RiskAsynchronous)
			}
			db, err := postgres.Open(t.Context(), cfg, postgres.FenceSchema, ledger.Schema)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			open := ledger.Config{DB: db, Fence: filepath.Join(t.TempDir(), "fence"), Key: testKey(t, 1)}
			l, err := ledger.Open(t.Context(), open)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			m := storagetest.NewMint("e")
			if err := l.OpenEpoch(t.Context(), m.Epoch(100)); err != nil {
				t.Fatal(err)
			}
			spend := func(l *ledger.Ledger, number uint64, request string) error {
				_, err := l.Spend(t.Context(), m.Nth(number), storagetest.Digest(request))
				return err
			}
			if err := spend(l, 1, "a"); err != nil {
				t.Fatal(err)
			}
			if !synchronous {
				standby.Stop()
			}
			if err := spend(l, 2, "a"); err != nil {
				t.Fatal(err)
			}
			primary.Crash()
			if !synchronous {
				if err := standby.Restart(); err != nil {
					t.Fatal(err)
				}
			}
			if err := standby.Promote(); err != nil {
				t.Fatal(err)
			}
			if synchronous {
				if err := standby.Exec("postgres", "alter system set synchronous_standby_names = ''"); err != nil {
					t.Fatal(err)
				}
				if err := standby.Exec("postgres", "select pg_reload_conf()"); err != nil {
					t.Fatal(err)
				}
				if err := spend(l, 2, "b"); !errors.Is(err, tokens.ErrDoubleSpend) {
					t.Fatalf("an acknowledged token after the failover: %v", err)
				}
				if err := spend(l, 3, "a"); err != nil {
					t.Fatal(err)
				}
				return
			}
			if err := spend(l, 2, "b"); !errors.Is(err, tokens.ErrUnavailable) || !l.Failed() {
				t.Fatalf("a token that the new server lost: %v", err)
			}
			l.Close()
			if l, err = ledger.Open(t.Context(), open); err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			if err := spend(l, 2, "b"); !errors.Is(err, tokens.ErrEpochFenced) || l.Restores() != 1 {
				t.Fatalf("after opening again: %v, %d restores", err, l.Restores())
			}
		})
	}
}
