package main

import (
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/pseudods/pseudods/internal/daemon"
)

func FuzzConfig(f *testing.F) {
	f.Add([]byte(`{"name": "issuer.example", "schedule": {"period": "1h", "overlap": "1m", "lead": "1m"}}`))
	f.Add([]byte(`{"classes": [{"name": "send", "types": ["0x0005"], "tokens": 10, "initial": 5, "growth": 1, "batch_sizes": [5]}]}`))
	f.Add([]byte(`{"attesters": {"invite": {}, "oidc": {}}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := parseConfig(b)
		if err != nil {
			if !errors.Is(err, daemon.ErrConfig) {
				t.Errorf("untyped error %v", err)
			}
			return
		}
		if err := c.validate(); err != nil {
			t.Errorf("%q is taken and invalid: %v", b, err)
		}
		if c.TLS == nil && !daemon.OnLoopback(c.Listen) {
			t.Errorf("%q serves plain HTTP on %s", b, c.Listen)
		}
	})
}

// FuzzLint feeds the linter directories: it never fails on what strict clients
// read without a word about why, nor passes what they refuse.
func FuzzLint(f *testing.F) {
	f.Add([]byte(`{"issuer-request-uri": "/request", "token-keys": [{"token-type": 5, "token-key": "1A5yt9QUlndDZ-P58_3kt0h34pexjSz11Oy7iC6fTCk="}]}`), "max-age=3600")
	f.Add([]byte(`{"issuer-request-uri": "", "token-keys": [{"token-type": 2, "token-key": "AA", "not-before": -1}]}`), `private, max-age="x"`)
	f.Fuzz(func(t *testing.T, b []byte, cache string) {
		l := &linter{out: io.Discard, now: time.Unix(1728043200, 0)}
		l.caching(http.Header{"Cache-Control": {cache}})
		l.failures = 0
		if l.content(b) == "" && l.failures == 0 {
			t.Errorf("%q has no request URI and passes", b)
		}
	})
}

func FuzzDirectoryURL(f *testing.F) {
	f.Add("issuer.example")
	f.Add("http://127.0.0.1:8040/send/")
	f.Fuzz(func(t *testing.T, arg string) {
		if u, err := directoryURL(arg); err == nil && (u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
			t.Errorf("%q gives %v", arg, u)
		}
	})
}
