package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/privacypass/attester/webhook"
	"github.com/pseudods/pseudods/privacypass/client"
	"github.com/pseudods/pseudods/privacypass/client/httpapi"
)

// The programs that scripts run beside ppissuer. They end on any error.

func must[T any](v T, err error) T {
	ok(err)
	return v
}

func ok(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// serveUntilKilled serves on loopback and writes the address into a file.
func serveUntilKilled(h http.Handler, file string) {
	l := must(net.Listen("tcp", "127.0.0.1:0"))
	ok(os.WriteFile(file+".new", []byte(l.Addr().String()), 0o600))
	ok(os.Rename(file+".new", file))
	ok(http.Serve(l, h))
}

// accountSystem address secret: an account system whose credentials are "good-"
// and a name. The account "slow" takes it a second, and leaves the file "asked".
func accountSystem() {
	key := must(daemon.SecretFile(os.Args[2]))
	serveUntilKilled(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := must(io.ReadAll(r.Body))
		var question struct{ Credential string }
		ok(json.Unmarshal(body, &question))
		signature := r.Header.Get(webhook.SignatureHeader)
		at, _, _ := strings.Cut(strings.TrimPrefix(signature, "t="), ",")
		seconds, err := strconv.ParseInt(at, 10, 64)
		name, good := strings.CutPrefix(question.Credential, "good-")
		switch {
		case err != nil || !hmac.Equal([]byte(signature), []byte(webhook.Sign(key, time.Unix(seconds, 0), body))):
			w.WriteHeader(http.StatusBadRequest)
		case !good:
			w.WriteHeader(http.StatusForbidden)
		default:
			if name == "slow" {
				ok(os.WriteFile("asked", nil, 0o600))
				time.Sleep(time.Second)
			}
			json.NewEncoder(w).Encode(map[string]string{"account": name})
		}
	}), os.Args[1])
}

// provider address token: an OpenID Connect provider's key set, and a file with
// a token for alice.
func provider() {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	signer := must(jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "1"}}, nil))
	claims := must(json.Marshal(map[string]any{
		"iss": "https://accounts.example", "aud": "ppissuer", "sub": "alice", "exp": time.Now().Add(time.Hour).Unix(),
	}))
	token := must(must(signer.Sign(claims)).CompactSerialize())
	ok(os.WriteFile(os.Args[2], []byte(token), 0o600))
	set := must(json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: "1", Algorithm: "ES256", Use: "sig"}}}))
	serveUntilKilled(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(set) }), os.Args[1])
}

// fixtures address directory: serves each file of the directory as an issuer
// directory; its first lines up to an empty one are headers, in which Status is
// the status.
func fixtures() {
	serveUntilKilled(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, wellKnown := strings.CutSuffix(r.URL.Path, privacypass.DirectoryPath)
		if !wellKnown {
			w.WriteHeader(http.StatusUnsupportedMediaType)
			return
		}
		content := must(os.ReadFile(os.Args[2] + name))
		head, body, _ := bytes.Cut(content, []byte("\n\n"))
		status := http.StatusOK
		for line := range strings.SplitSeq(string(head), "\n") {
			key, value, _ := strings.Cut(line, ": ")
			if key == "Status" {
				status = must(strconv.Atoi(value))
				continue
			}
			w.Header().Set(key, value)
		}
		if etag := w.Header().Get("ETag"); etag != "" && r.Header.Get("If-None-Match") == etag {
			status, body = http.StatusNotModified, nil
		}
		w.WriteHeader(status)
		w.Write(bytes.ReplaceAll(body, []byte("@random@"), []byte(rand.Text())))
	}), os.Args[1])
}

// hammer data code requests tokens marker: asks the issuer that runs on a data directory
// for batches with one invite code, all at once. A request that gets no answer is
// sent again, unchanged, until it is answered or refused for good. It makes the
// marker file at the first answer, repeats what was answered until the issuer was
// interrupted, prints how many tokens it got, and fails if a repeated request gets
// other bytes.
func hammer() {
	data, code := daemon.Dir(os.Args[1]), strings.TrimSpace(string(must(os.ReadFile(os.Args[2]))))
	requests, tokens := must(strconv.Atoi(os.Args[3])), must(strconv.Atoi(os.Args[4]))
	first := must(data.Running())
	issuer := must(discover(context.Background(), first.URL, ""))
	var got, refused, interrupted atomic.Int64
	var wg sync.WaitGroup
	for range requests {
		p := must(request([]client.Want{must(issuer.want(privacypass.VOPRFP384, ""))}, tokens))
		wg.Go(func() {
			ask := func() ([]byte, error) {
				for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
					where, err := data.Running()
					if err == nil {
						var now *remote
						if now, err = discover(context.Background(), where.URL, ""); err == nil {
							var reply []byte
							invite := httpapi.Header(attester.InviteAuthorization(code))
							reply, err = now.class.Send(context.Background(), p.Kind(), p.Request(), time.Now(), invite)
							if err == nil || strings.Contains(err.Error(), "answered 429") {
								return reply, err
							}
						}
						interrupted.Add(1)
					}
					if time.Now().After(end) {
						return nil, errors.New("no answer: " + err.Error())
					}
				}
			}
			reply, err := ask()
			if err != nil && strings.Contains(err.Error(), "429") {
				refused.Add(1)
				return
			}
			ok(err)
			ok(os.WriteFile(os.Args[5], nil, 0o600))
			for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
				if again := must(ask()); !bytes.Equal(again, reply) {
					ok(errors.New("a repeated request got other bytes"))
				}
				if interrupted.Load() > 0 {
					break
				}
				if time.Now().After(end) {
					ok(errors.New("the issuer was never interrupted"))
				}
			}
			got.Add(int64(len(must(p.Finalize(reply)))))
		})
	}
	wg.Wait()
	fmt.Printf("got %d tokens, %d requests refused, interrupted %d times\n", got.Load(), refused.Load(), interrupted.Load())
}

// certificate file key: makes a certificate for loopback.
func makeCertificate() {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key))
	private := must(x509.MarshalPKCS8PrivateKey(key))
	ok(os.WriteFile(os.Args[1], pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	ok(os.WriteFile(os.Args[2], pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	must(tls.LoadX509KeyPair(os.Args[1], os.Args[2]))
}
