package daemon

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestCheckListen(t *testing.T) {
	good := &TLS{Certificate: "c", Key: "k"}
	authority := &ACME{Hosts: []string{"ds.example"}, Cache: "cache", AcceptTerms: true}
	for _, tc := range []struct {
		address string
		tls     *TLS
		ok      bool
	}{
		{"127.0.0.1:1", nil, true}, {"localhost:1", nil, true}, {"[::1]:1", nil, true},
		{":1", nil, false}, {"0.0.0.0:1", nil, false}, {"192.0.2.1:1", nil, false}, {"ds.example:1", nil, false}, {"127.0.0.1", nil, false},
		{":1", good, true}, {":1", &TLS{ACME: authority}, true},
		{":1", &TLS{}, false}, {":1", &TLS{Key: "k"}, false}, {":1", &TLS{Certificate: "c", Key: "k", ACME: authority}, false},
		{":1", &TLS{ACME: &ACME{}}, false}, {":1", &TLS{ACME: &ACME{Hosts: authority.Hosts, Cache: "c"}}, false},
	} {
		if err := CheckListen(tc.address, tc.tls); (err == nil) != tc.ok {
			t.Errorf("%s, %+v: %v", tc.address, tc.tls, err)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestMaxConnections: what is more than an address may have open waits, and is
// served once there is room; with TLS silent connections count as well.
func TestMaxConnections(t *testing.T) {
	dir := t.TempDir()
	files := &TLS{Certificate: filepath.Join(dir, "cert"), Key: filepath.Join(dir, "key")}
	key := newKey(t)
	der := must(x509.MarshalPKCS8PrivateKey(key))
	for name, block := range map[string]*pem.Block{
		files.Certificate: {Type: "CERTIFICATE", Bytes: issue(t, "localhost", &key.PublicKey, nil, key)},
		files.Key:         {Type: "PRIVATE KEY", Bytes: der},
	} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []*TLS{nil, files} {
		l, err := Listen("127.0.0.1:0", c, 2)
		if err != nil {
			t.Fatal(err)
		}
		var servers Servers
		servers.Add(l, NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") })))
		servers.Start()
		defer servers.Close()
		url := "http://"
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
		if c != nil {
			url = "https://"
		}
		get := func(within time.Duration) error {
			ctx, cancel := context.WithTimeout(t.Context(), within)
			defer cancel()
			answer, err := client.Do(must(http.NewRequestWithContext(ctx, http.MethodGet, url+l.Addr().String(), nil)))
			if err == nil {
				answer.Body.Close()
			}
			return err
		}
		var silent [2]net.Conn
		for i := range silent {
			silent[i] = must(net.Dial("tcp", l.Addr().String()))
			defer silent[i].Close()
		}
		if err := get(200 * time.Millisecond); err == nil {
			t.Error("a third connection is served")
		}
		silent[0].Close()
		if err := get(10 * time.Second); err != nil {
			t.Errorf("with room again: %v", err)
		}
	}
}

// issue makes a certificate for a host, signed by the parent or itself.
func issue(t *testing.T, host string, key any, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) []byte {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90 * 24 * time.Hour), IsCA: parent == nil, BasicConstraintsValid: true}
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key, parentKey)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestCertificateRenewed replaces the files of a listener's certificate.
func TestCertificateRenewed(t *testing.T) {
	dir := t.TempDir()
	c := &TLS{Certificate: filepath.Join(dir, "c.pem"), Key: filepath.Join(dir, "k.pem")}
	write := func(cert []byte, key *ecdsa.PrivateKey) {
		t.Helper()
		private, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		for name, block := range map[string]*pem.Block{c.Certificate: {Type: "CERTIFICATE", Bytes: cert}, c.Key: {Type: "PRIVATE KEY", Bytes: private}} {
			if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := Listen("127.0.0.1:0", c, 8); err == nil {
		t.Fatal("listens without a certificate")
	}
	key := newKey(t)
	first := issue(t, "ds.example", &key.PublicKey, nil, key)
	write(first, key)
	files := &certificate{config: *c}
	serves := func(want []byte, what string) {
		t.Helper()
		got, err := files.get(nil)
		if err != nil || !bytes.Equal(got.Certificate[0], want) {
			t.Errorf("%s: another certificate is in use, %v", what, err)
		}
	}
	serves(first, "at first")
	second := issue(t, "ds.example", &key.PublicKey, nil, key)
	write(second, newKey(t)) // halfway through a renewal
	files.looked = time.Time{}
	serves(first, "a key that does not fit")
	write(second, key)
	later := time.Now().Add(time.Second)
	os.Chtimes(c.Certificate, later, later)
	serves(first, "within a minute")
	files.looked = time.Time{}
	serves(second, "renewed")
}

// authority is an ACME server that asks for TLS-ALPN-01 at one address and signs
// what comes.
type authority struct {
	t    *testing.T
	url  string
	at   string // where it validates
	root *x509.Certificate
	key  *ecdsa.PrivateKey

	mu          sync.Mutex
	valid       bool
	host        string
	certificate []byte
}

func (a *authority) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	w.Header().Set("Replay-Nonce", rand.Text())
	var jws struct{ Payload string }
	if body, _ := io.ReadAll(r.Body); len(body) > 0 {
		json.Unmarshal(body, &jws)
	}
	payload, _ := base64.RawURLEncoding.DecodeString(jws.Payload)
	answer := func(status int, v any) {
		w.Header().Set("Location", a.url+"/order")
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(v)
	}
	status := map[bool]string{true: "valid", false: "pending"}[a.valid]
	challenge := map[string]any{"type": "tls-alpn-01", "url": a.url + "/challenge", "token": "token", "status": status}
	order := map[string]any{"status": map[bool]string{true: "ready", false: "pending"}[a.valid], "authorizations": []string{a.url + "/authorization"}, "finalize": a.url + "/finalize"}
	switch r.URL.Path {
	case "/":
		answer(200, map[string]string{"newNonce": a.url + "/nonce", "newAccount": a.url + "/account", "newOrder": a.url + "/new"})
	case "/nonce":
	case "/account":
		answer(201, map[string]string{"status": "valid"})
	case "/new":
		var asked struct{ Identifiers []struct{ Value string } }
		json.Unmarshal(payload, &asked)
		a.host, a.valid = asked.Identifiers[0].Value, false
		answer(201, order)
	case "/order":
		if a.certificate != nil {
			order["status"], order["certificate"] = "valid", a.url+"/certificate"
		}
		answer(200, order)
	case "/authorization":
		answer(200, map[string]any{"status": status, "identifier": map[string]string{"type": "dns", "value": a.host}, "challenges": []any{challenge}})
	case "/challenge":
		a.valid = a.validate() == nil
		answer(200, challenge)
	case "/finalize":
		var asked struct{ CSR string }
		json.Unmarshal(payload, &asked)
		der, _ := base64.RawURLEncoding.DecodeString(asked.CSR)
		csr, err := x509.ParseCertificateRequest(der)
		if err != nil || !a.valid {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		a.certificate = issue(a.t, csr.DNSNames[0], csr.PublicKey, a.root, a.key)
		order["status"], order["certificate"] = "valid", a.url+"/certificate"
		answer(200, order)
	case "/certificate":
		pem.Encode(w, &pem.Block{Type: "CERTIFICATE", Bytes: a.certificate})
	default:
		http.NotFound(w, r)
	}
}

// validate connects as RFC 8737, Section 3 says.
func (a *authority) validate() error {
	conn, err := tls.Dial("tcp", a.at, &tls.Config{ServerName: a.host, NextProtos: []string{"acme-tls/1"}, InsecureSkipVerify: true})
	if err != nil {
		return err
	}
	defer conn.Close()
	identifier := asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 31}
	for _, e := range conn.ConnectionState().PeerCertificates[0].Extensions {
		if e.Id.Equal(identifier) {
			return nil
		}
	}
	return fmt.Errorf("no challenge certificate")
}

// TestACME has a certificate issued at the first connection.
func TestACME(t *testing.T) {
	key := newKey(t)
	root, err := x509.ParseCertificate(issue(t, "root", &key.PublicKey, nil, key))
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{t: t, root: root, key: key}
	server := httptest.NewServer(a)
	defer server.Close()
	a.url = server.URL
	c := &TLS{ACME: &ACME{Hosts: []string{"ds.example"}, AcceptTerms: true, Directory: server.URL + "/", Cache: filepath.Join(t.TempDir(), "cache")}}
	l, err := Listen("127.0.0.1:0", c, 8)
	if err != nil {
		t.Fatal(err)
	}
	a.at = l.Addr().String()
	var servers Servers
	servers.Add(l, NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) })))
	servers.Start()
	defer servers.Close()
	roots := x509.NewCertPool()
	roots.AddCert(root)
	get := func(host string) (string, error) {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: host}, ForceAttemptHTTP2: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "tcp", a.at)
			}}
		defer transport.CloseIdleConnections()
		res, err := (&http.Client{Transport: transport}).Get("https://" + host)
		if err != nil {
			return "", err
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		return string(b), err
	}
	if proto, err := get("ds.example"); err != nil || !strings.HasPrefix(proto, "HTTP/2") {
		t.Fatalf("%q, %v", proto, err)
	}
	if _, err := get("other.example"); err == nil {
		t.Error("a certificate for any name")
	}
	if files, _ := filepath.Glob(filepath.Join(c.ACME.Cache, "ds.example*")); len(files) == 0 {
		t.Error("nothing is kept")
	}
}
