//go:build unix

package httpapi_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/privacypass/client"
	"github.com/pseudods/pseudods/privacypass/issuer/httpapi"
	"github.com/pseudods/pseudods/privacypass/keyring"
	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/badger/allowances"
)

// BenchmarkIssueHTTP measures issuance over HTTP on loopback, with invite codes
// and durable charges in Badger: an operation is one request of so many tokens,
// from a client that keeps sixteen connections for each processor busy and shares
// the processors with the issuer. The metric tokens/s/core is divided by
// GOMAXPROCS, and tokens/cpu-s by the processor time that the process used, which
// other load on the machine disturbs less; both include the clients' share.
func BenchmarkIssueHTTP(b *testing.B) {
	types := privacypass.TokenTypes()
	invites := attester.NewInvites(secret.New(make([]byte, 32)))
	url := serve(b, types, invites)
	for _, t := range types {
		params, err := t.Params()
		if err != nil {
			b.Fatal(err)
		}
		batches := []int{1, 100}
		if !params.Amortized {
			batches = []int{1, 32}
		}
		for _, n := range batches {
			b.Run(fmt.Sprintf("%v/batch=%d", t, n), func(b *testing.B) {
				p := makeRequest(b, url, t, n)
				// One body serves all: every request has an account of its own.
				body, mediaType := p.Request(), p.Kind().RequestMediaType()
				codes := make([]string, b.N)
				for i := range codes {
					if codes[i], err = invites.New(rand.Reader, time.Now().AddDate(0, 1, 0)); err != nil {
						b.Fatal(err)
					}
				}
				var next atomic.Int64
				transport := &http.Transport{MaxIdleConnsPerHost: 64}
				defer transport.CloseIdleConnections()
				b.SetParallelism(16)
				b.ResetTimer()
				used := cpuTime(b)
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						req, err := http.NewRequest("POST", url+"/default/token-request", bytes.NewReader(body))
						if err != nil {
							b.Error(err)
							return
						}
						req.Header.Set("Content-Type", mediaType)
						req.Header.Set("Authorization", attester.InviteAuthorization(codes[next.Add(1)-1]))
						resp, err := transport.RoundTrip(req)
						if err != nil {
							b.Error(err)
							return
						}
						_, err = io.Copy(io.Discard, resp.Body)
						resp.Body.Close()
						if err != nil || resp.StatusCode != 200 {
							b.Errorf("status %d, %v", resp.StatusCode, err)
							return
						}
					}
				})
				b.ReportMetric(float64(b.N*n)/(cpuTime(b)-used).Seconds(), "tokens/cpu-s")
				b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds()/float64(runtime.GOMAXPROCS(0)), "tokens/s/core")
			})
		}
	}
}

// cpuTime returns the processor time that the process has used.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func makeRequest(b *testing.B, url string, t privacypass.TokenType, n int) *client.Pending {
	b.Helper()
	resp, err := http.Get(url + privacypass.DirectoryPath)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		b.Fatal(err)
	}
	directory, err := privacypass.ParseDirectory(content)
	if err != nil {
		b.Fatal(err)
	}
	for _, k := range directory.Keys {
		if k.TokenType != t {
			continue
		}
		key, err := client.ParsePublicKey(t, k.PublicKey)
		if err != nil {
			b.Fatal(err)
		}
		want := client.Want{Key: key, Challenge: &privacypass.TokenChallenge{TokenType: t, IssuerName: "issuer.example"}}
		var p *client.Pending
		params, _ := t.Params()
		switch {
		case n == 1:
			p, err = client.Single(rand.Reader, want)
		case params.Amortized:
			p, err = client.Amortized(rand.Reader, want, n)
		default:
			wants := make([]client.Want, n)
			for i := range wants {
				wants[i] = want
			}
			p, err = client.Generic(rand.Reader, wants)
		}
		if err != nil {
			b.Fatal(err)
		}
		return p
	}
	b.Fatalf("no key of type %v", t)
	return nil
}

// serve starts an issuer on loopback.
func serve(b *testing.B, types []privacypass.TokenType, invites *attester.Invites) string {
	b.Helper()
	dir := b.TempDir()
	db, err := badger.Open(badger.Config{Dir: filepath.Join(dir, "allowances"), Format: allowances.Format})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	var slots []keyring.Slot
	for _, t := range types {
		slots = append(slots, keyring.Slot{Class: "default", Type: t})
	}
	day := 24 * time.Hour
	ring, err := keyring.Open(keyring.Config{
		Dir: filepath.Join(dir, "keys"), Slots: slots, Rand: rand.Reader,
		Schedule: keyring.Schedule{Period: 30 * day, Overlap: 7 * day, Lead: day},
	})
	if err != nil {
		b.Fatal(err)
	}
	if err := ring.Advance(time.Now()); err != nil {
		b.Fatal(err)
	}
	rationing, err := attester.NewAllowances(allowances.New(db), attester.NewNames(secret.New(make([]byte, 32))), day,
		map[string]attester.Policy{"default": {Tokens: 100, BatchSizes: []int{1, 32, 100}}})
	if err != nil {
		b.Fatal(err)
	}
	h, err := httpapi.New(httpapi.Config{
		Name: "issuer.example", Classes: []httpapi.Class{{Name: "default", Types: types}}, Keys: ring, Allowances: rationing,
		Attesters: []attester.Attester{invites}, Clock: time.Now, Rand: rand.Reader,
		Registerer: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	s := httptest.NewServer(h)
	b.Cleanup(s.Close)
	return s.URL
}
