package ledger_test

import (
	"context"
	"crypto/rand"
	"errors"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	engine "github.com/dgraph-io/badger/v4"

	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/client"
	"github.com/pseudods/pseudods/privacypass/issuer"
	"github.com/pseudods/pseudods/privacypass/verify"
	"github.com/pseudods/pseudods/privacypass/verify/private"
	"github.com/pseudods/pseudods/storage/badger/ledger"
	"github.com/pseudods/pseudods/storage/storagetest"
	"github.com/pseudods/pseudods/tokens"
)

// inFlight is how many redemptions run at once.
const inFlight = 256

// mint issues real tokens of type 0x0005. Tokens are issued once and used by
// every run, each of which has a new ledger.
type mint struct {
	issuer *issuer.Issuer
	want   client.Want
	till   *tokens.Till
	made   []*privacypass.Token
}

func check(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func newMint(b *testing.B) *mint {
	challenge, err := storagetest.Prices.Challenge(tokens.Send, storagetest.Origin)
	check(b, err)
	key, err := issuer.GenerateKey(challenge.TokenType, rand.Reader)
	check(b, err)
	m := &mint{}
	m.issuer, err = issuer.New(issuer.Config{Rand: rand.Reader}, key)
	check(b, err)
	public, err := client.ParsePublicKey(key.TokenType(), key.PublicKey())
	check(b, err)
	m.want = client.Want{Key: public, Challenge: challenge}
	checker, err := private.NewKey(key.Marshal())
	check(b, err)
	m.till, err = tokens.NewTill(storagetest.Prices, storagetest.Origin, map[tokens.Class][]verify.Key{tokens.Send: {checker}})
	check(b, err)
	return m
}

// issue sees to it that n tokens are made.
func (m *mint) issue(b *testing.B, n int) {
	const batch = 100
	for len(m.made) < n {
		pending, err := client.Amortized(rand.Reader, m.want, batch)
		check(b, err)
		request, err := m.issuer.Parse(pending.Kind(), pending.Request())
		check(b, err)
		response, err := request.Issue()
		check(b, err)
		made, err := pending.Finalize(response.Body)
		check(b, err)
		m.made = append(m.made, made...)
	}
}

// redeem runs b.N redemptions, inFlight at a time.
func redeem(b *testing.B, m *mint, spend func(tokens.Payment, tokens.RequestDigest) (tokens.Outcome, error)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	for range inFlight {
		wg.Go(func() {
			for {
				i := next.Add(1) - 1
				if i >= int64(b.N) {
					return
				}
				payment, err := m.till.Verify("send", m.made[i:i+1])
				if err != nil {
					b.Error(err)
					return
				}
				if outcome, err := spend(payment, tokens.RequestDigest{byte(i), byte(i >> 8), byte(i >> 16)}); err != nil || outcome != tokens.Fresh {
					b.Errorf("outcome %d, %v", outcome, err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "redemptions/s")
}

// BenchmarkRedeemDurable verifies a token of type 0x0005 and makes its nullifier
// durable, with 256 requests in flight: in the ledger, and, as the baseline, in
// one synced Badger transaction each. "verify" is the first half alone, which
// bounds the others: read the figures against it.
func BenchmarkRedeemDurable(b *testing.B) {
	m := newMint(b)
	b.Run("ours", func(b *testing.B) {
		m.issue(b, b.N)
		l, err := ledger.Open(ledger.Config{
			Dir:   filepath.Join(b.TempDir(), "db"),
			Fence: filepath.Join(b.TempDir(), "fence"),
			Key:   testKey(b, 1),
		})
		check(b, err)
		defer l.Close()
		check(b, l.OpenEpoch(b.Context(), tokens.Epoch{KeyID: m.want.Key.ID(), Capacity: 1 << 40}))
		redeem(b, m, func(p tokens.Payment, request tokens.RequestDigest) (tokens.Outcome, error) {
			return p.Spend(b.Context(), l, request)
		})
	})
	b.Run("verify", func(b *testing.B) {
		m.issue(b, b.N)
		redeem(b, m, func(tokens.Payment, tokens.RequestDigest) (tokens.Outcome, error) { return tokens.Fresh, nil })
	})
	b.Run("baseline", func(b *testing.B) {
		m.issue(b, b.N)
		db, err := engine.Open(engine.DefaultOptions(b.TempDir()).WithSyncWrites(true).WithLogger(nil))
		check(b, err)
		defer db.Close()
		key := testKey(b, 1)
		redeem(b, m, func(p tokens.Payment, request tokens.RequestDigest) (tokens.Outcome, error) {
			return p.Spend(b.Context(), perTransaction{db: db, key: key}, request)
		})
	})
}

// perTransaction is the ledger that one would write first: insert if absent, in
// a transaction of its own.
type perTransaction struct {
	tokens.Ledger
	db  *engine.DB
	key tokens.NullifierKey
}

func (l perTransaction) Spend(_ context.Context, token verify.Redeemed, request tokens.RequestDigest) (outcome tokens.Outcome, err error) {
	n := l.key.Nullifier(token)
	tag := l.key.Tag(n, request)
	err = l.db.Update(func(txn *engine.Txn) error {
		if _, err := txn.Get(n[:]); !errors.Is(err, engine.ErrKeyNotFound) {
			return tokens.ErrDoubleSpend
		}
		outcome = tokens.Fresh
		return txn.Set(n[:], tag[:])
	})
	return outcome, err
}

// BenchmarkSpend is the second half alone: tokens that cost nothing to verify,
// 256 in flight.
func BenchmarkSpend(b *testing.B) {
	l, err := ledger.Open(ledger.Config{
		Dir:   filepath.Join(b.TempDir(), "db"),
		Fence: filepath.Join(b.TempDir(), "fence"),
		Key:   testKey(b, 1),
	})
	check(b, err)
	defer l.Close()
	m := storagetest.NewMint("e")
	check(b, l.OpenEpoch(b.Context(), m.Epoch(1<<40)))
	b.SetParallelism(inFlight / runtime.GOMAXPROCS(0))
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := l.Spend(b.Context(), m.Token(), storagetest.Digest("a")); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "spends/s")
}
