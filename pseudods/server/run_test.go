package server

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/httpapi"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// TestDrainDelay: a server that is told to stop says so while it goes on.
func TestDrainDelay(t *testing.T) {
	c := config(t)
	c.DrainDelay = daemon.Duration(time.Hour)
	s := must(New(c))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	ready := func(want int) {
		t.Helper()
		for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
			status, _ := get(t, s.Running().Admin+"/readyz")
			if status == want {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("readiness: %d, want %d", status, want)
			}
		}
	}
	ready(http.StatusOK)
	cancel()
	ready(http.StatusServiceUnavailable)
	provider(t, s.URL(DS)) // it still answers
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	<-ended // by the cut
}

// TestDrain: a server that was told to stop answers the reads that wait, and closes.
func TestDrain(t *testing.T) {
	c := config(t)
	cheap(&c)
	c.DrainDelay = daemon.Duration(time.Millisecond)
	s := must(New(c))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	alice := newUser(t, s.URL(DS)).newOwner(wire.QueueSettings{})
	type answer struct {
		page wire.QueuePage
		err  error
	}
	waiting := make(chan answer, 2)
	read := func() {
		var a answer
		a.err = alice.send(wire.OpReadQueue, alice.request(wire.OpReadQueue, &wire.ReadQueue{Queue: alice.queue, Wait: 50}, alice.sign, nil), &a.page)
		waiting <- a
	}
	go read()
	go read()
	// When one was replaced the other waits at the server.
	if a := <-waiting; !errors.Is(a.err, &wire.Error{Code: wire.CodeReplaced}) {
		t.Fatalf("an older read: %+v", a)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("the drain: %v", err)
	}
	if a := <-waiting; a.err != nil || len(a.page.Entries) != 0 {
		t.Errorf("a waiting read: %+v", a)
	}
	if _, err := http.Get(s.URL(DS) + httpapi.PathProvider); err == nil {
		t.Error("the server still listens")
	}
}

// TestListenersApart: each role serves its own paths on its own listener.
func TestListenersApart(t *testing.T) {
	c := config(t)
	cheap(&c)
	c.DS.Listen, c.QS.Listen = "127.0.0.1:0", "127.0.0.1:0"
	s, _ := start(t, c)
	u := newUser(t, s.URL(Issuer))
	if u.doc.DS == u.doc.QS || u.doc.QS == u.doc.Issuer || u.doc.DS != s.URL(DS) || len(s.Running().Roles) != 3 {
		t.Fatalf("%+v", u.doc)
	}
	u.newOwner(wire.QueueSettings{})
	ask := u.request(wire.OpAddressKeys, nil, nil, nil)
	if _, err := must(httpapi.NewClient(s.URL(DS), nil)).Do(t.Context(), wire.OpAddressKeys, ask); !errors.Is(err, &wire.Error{Code: wire.CodeNotAllowed}) {
		t.Errorf("the DS answers for the QS: %v", err)
	}
}

// TestOtherVersions: a request of a version that is not spoken is refused as such,
// and the document says which are.
func TestOtherVersions(t *testing.T) {
	c := config(t)
	s, _ := start(t, c)
	u := newUser(t, s.URL(DS))
	for _, op := range []wire.Operation{wire.OpRequestGroupID, wire.OpAddressKeys} {
		request := u.request(op, nil, nil, nil)
		request[1] = 9
		u.wantCode("version 9", u.send(op, request, nil), wire.CodeUnsupportedVersion)
	}
	if v := u.doc.Versions; len(v) != 1 || v[0] != wire.Version1 {
		t.Errorf("versions %v", v)
	}
}

// selfSigned makes a certificate for loopback.
func selfSigned(t *testing.T) (*daemon.TLS, *x509.CertPool) {
	t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der := must(x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key))
	c := &daemon.TLS{Certificate: filepath.Join(t.TempDir(), "c.pem"), Key: filepath.Join(t.TempDir(), "k.pem")}
	for name, block := range map[string]*pem.Block{c.Certificate: {Type: "CERTIFICATE", Bytes: der},
		c.Key: {Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(key))}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool := x509.NewCertPool()
	pool.AddCert(must(x509.ParseCertificate(der)))
	return c, pool
}

// TestStream reads a queue over connections that stay open, plain and by HTTP/2
// with TLS: entries come as they arrive, a newer reader ends an older one, and the
// server's end ends the newest.
func TestStream(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(map[bool]string{false: "HTTP/1.1", true: "HTTP/2"}[secure], func(t *testing.T) {
			c := config(t)
			cheap(&c)
			hc, want := http.DefaultClient, "HTTP/1.1"
			if secure {
				var pool *x509.CertPool
				c.TLS, pool = selfSigned(t)
				hc = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}}
				want = "HTTP/2.0"
			}
			old := http.DefaultClient
			http.DefaultClient = hc
			defer func() { http.DefaultClient = old }()
			s, stop := start(t, c)
			if secure != strings.HasPrefix(s.URL(QS), "https:") {
				t.Fatalf("served at %s", s.URL(QS))
			}
			res := must(hc.Get(s.URL(QS) + httpapi.PathProvider))
			io.Copy(io.Discard, res.Body)
			res.Body.Close()
			if res.Proto != want {
				t.Fatalf("by %s", res.Proto)
			}
			alice := newUser(t, s.URL(DS)).newOwner(wire.QueueSettings{})
			m := alice.join("localhost")
			pages, ends := make(chan *wire.QueuePage, 16), make(chan error, 2)
			read := func() {
				request := alice.request(wire.OpReadQueue, &wire.ReadQueue{Queue: alice.queue, After: alice.last}, alice.sign, nil)
				go func() {
					for body, err := range must(httpapi.NewClient(s.URL(QS), hc)).Stream(context.Background(), request) {
						if err != nil {
							ends <- err
							return
						}
						page := new(wire.QueuePage)
						if err := mls.Unmarshal(body, page); err != nil {
							ends <- err
							return
						}
						pages <- page
					}
					ends <- nil
				}()
			}
			read()
			for n, text := range []string{"one", "two", "three"} {
				page := <-pages
				for len(page.Entries) == 0 {
					if _, err := s.qs.service.Deliver(t.Context(), "localhost", messageTo([]byte(text), uint64(n+1), m)); err != nil {
						t.Fatal(err)
					}
					page = <-pages
				}
				if got := alice.receive(page); len(got) != 1 || got[0] != text {
					t.Errorf("got %q, want %q", got, text)
				}
				if n < 2 {
					pages <- &wire.QueuePage{} // nothing more for now
				}
			}
			read()
			if err := <-ends; !errors.Is(err, &wire.Error{Code: wire.CodeReplaced}) {
				t.Errorf("the older reader ends by %v", err)
			}
			if page := <-pages; !page.Empty {
				t.Error("no sign of an empty queue")
			}
			stop()
			if err := <-ends; err != nil {
				t.Errorf("the server's end: %v", err)
			}
		})
	}
}
