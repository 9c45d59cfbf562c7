package issuer_test

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	mathrand "math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/client"
	"github.com/pseudods/pseudods/privacypass/issuer"
)

// request frames a blinded message for k, whatever it holds.
func request(k issuer.Key, blinded []byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(k.TokenType()))
	return append(append(b, k.ID().Truncated()), blinded...)
}

// amortized frames blinded messages for k.
func amortized(k issuer.Key, blinded ...[]byte) []byte {
	w := tlscodec.NewWriter(request(k, nil))
	w.Opaque(bytes.Join(blinded, nil))
	b, _ := w.Bytes()
	return b
}

// generic frames requests.
func generic(requests ...[]byte) []byte {
	var w tlscodec.Writer
	w.Opaque(bytes.Join(requests, nil))
	b, _ := w.Bytes()
	return b
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// badElements are blinded messages of the right size that no honest client sends.
func badElements(k issuer.Key) map[string][]byte {
	switch k.TokenType() {
	case privacypass.VOPRFRistretto255:
		return map[string][]byte{
			// RFC 9496, Appendix A.2.
			"identity":              make([]byte, 32),
			"not canonical, over p": unhex("00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"),
			"not canonical, p":      unhex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
			"not canonical, p + 1":  unhex("f3ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
			"negative":              unhex("0100000000000000000000000000000000000000000000000000000000000000"),
			"not a square":          unhex("26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371"),
			"negative xy":           unhex("3eb858e78f5a7254d8c9731174a94f76755fd3941c0ac93735c07ba14579630e"),
			"y = 0":                 unhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
		}
	case privacypass.VOPRFP384:
		prime := unhex("fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff")
		return map[string][]byte{
			"identity, padded":      make([]byte, 49),
			"x over p":              append([]byte{2}, bytes.Repeat([]byte{0xff}, 48)...),
			"x = p, for x = 0":      append([]byte{2}, prime...),
			"uncompressed prefix":   append([]byte{4}, make([]byte, 48)...),
			"hybrid prefix":         append([]byte{6}, k.PublicKey()[1:]...),
			"no point with that x":  append([]byte{2}, append(make([]byte, 47), 1)...),
			"sign in the wrong bit": append([]byte{k.PublicKey()[0] | 0x80}, k.PublicKey()[1:]...),
		}
	default:
		n := k.PublicKey()[81:337]
		minusOne := bytes.Clone(n)
		minusOne[255]--
		return map[string][]byte{
			"zero":     make([]byte, 256),
			"one":      append(make([]byte, 255), 1),
			"n - 1":    minusOne,
			"n":        n,
			"all ones": bytes.Repeat([]byte{0xff}, 256),
		}
	}
}

// TestTrapIdentityAndNonCanonicalElements: decoders of the libraries accept the
// identity, and some accept several encodings of one element.
func TestTrapIdentityAndNonCanonicalElements(t *testing.T) {
	for _, typ := range privacypass.TokenTypes() {
		k := generate(t, typ)
		iss := newIssuer(t, k)
		good, err := privacypass.ParseTokenRequest(single(t, k).Request())
		if err != nil {
			t.Fatal(err)
		}
		for name, bad := range badElements(k) {
			q, err := iss.Parse(privacypass.Single, request(k, bad))
			if err != nil {
				t.Fatalf("%v: %s: %v", typ, name, err)
			}
			if r, err := q.Issue(); !errors.Is(err, issuer.ErrElement) || !errors.Is(err, issuer.ErrUnprocessable) || r != nil {
				t.Errorf("%v: %s: %v", typ, name, err)
			}
			if typ == privacypass.BlindRSA {
				continue
			}
			// One bad element refuses an amortized batch, wherever it stands.
			q, err = iss.Parse(privacypass.Amortized, amortized(k, good.BlindedMsg, bad, good.BlindedMsg))
			if err != nil {
				t.Fatalf("%v: %s: %v", typ, name, err)
			}
			if r, err := q.Issue(); !errors.Is(err, issuer.ErrElement) || r != nil {
				t.Errorf("%v: %s in a batch: %v", typ, name, err)
			}
		}
	}
}

// TestTrapUncompressedPoints: the 97-octet form of a P-384 point, and the 1-octet
// identity, are points to a library and wrong lengths here.
func TestTrapUncompressedPoints(t *testing.T) {
	k := generate(t, privacypass.VOPRFP384)
	iss := newIssuer(t, k)
	uncompressed := unhex("04" +
		"aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7" +
		"3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f")
	for _, b := range [][]byte{uncompressed, {0}} {
		if _, err := iss.Parse(privacypass.Single, request(k, b)); !errors.Is(err, issuer.ErrUnprocessable) {
			t.Errorf("point of %d octets: %v", len(b), err)
		}
		if _, err := iss.Parse(privacypass.Amortized, amortized(k, b)); !errors.Is(err, issuer.ErrUnprocessable) {
			t.Errorf("batch with a point of %d octets: %v", len(b), err)
		}
		if _, err := client.ParsePublicKey(privacypass.VOPRFP384, b); !errors.Is(err, client.ErrKey) {
			t.Errorf("public key of %d octets: %v", len(b), err)
		}
	}
}

// TestTrapWrongLengthsAndTrailingOctets: every strict prefix of a request, and
// one octet more, is refused before any private-key operation.
func TestTrapWrongLengthsAndTrailingOctets(t *testing.T) {
	for _, typ := range privacypass.TokenTypes() {
		k := generate(t, typ)
		iss := newIssuer(t, k)
		one := single(t, k).Request()
		requests := map[privacypass.Kind][]byte{
			privacypass.Single:  one,
			privacypass.Generic: generic(one, one),
		}
		if typ != privacypass.BlindRSA {
			requests[privacypass.Amortized] = amortized(k, one[3:], one[3:])
		}
		for kind, b := range requests {
			if _, err := iss.Parse(kind, b); err != nil {
				t.Errorf("%v: %v: %v", typ, kind, err)
			}
			for n := range b {
				if _, err := iss.Parse(kind, b[:n]); !errors.Is(err, issuer.ErrUnprocessable) {
					t.Errorf("%v: %v: prefix of %d octets: %v", typ, kind, n, err)
				}
			}
			if _, err := iss.Parse(kind, append(bytes.Clone(b), 0)); !errors.Is(err, issuer.ErrUnprocessable) {
				t.Errorf("%v: %v: trailing octet: %v", typ, kind, err)
			}
		}
		if _, err := iss.Parse(privacypass.Kind(9), one); !errors.Is(err, issuer.ErrUnprocessable) {
			t.Errorf("kind 9: %v", err)
		}
	}
}

// colliding returns two keys of a type with the same truncated identifier.
func colliding(t *testing.T, typ privacypass.TokenType) (a, b issuer.Key) {
	t.Helper()
	r := mathrand.NewChaCha8([32]byte{7})
	seen := map[uint8]issuer.Key{}
	for range 257 {
		k, err := issuer.GenerateKey(typ, r)
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[k.ID().Truncated()]; ok {
			return other, k
		}
		seen[k.ID().Truncated()] = k
	}
	panic("257 keys have 256 truncated identifiers")
}

// TestTrapTruncatedKeyIDCollisions: an issuer could not tell which of two such
// keys a request means, so it does not start with both.
func TestTrapTruncatedKeyIDCollisions(t *testing.T) {
	a, b := colliding(t, privacypass.VOPRFRistretto255)
	if a.ID() == b.ID() {
		t.Fatal("the same key twice")
	}
	config := issuer.Config{Rand: rand.Reader}
	if _, err := issuer.New(config, a, b); !errors.Is(err, issuer.ErrKeyCollision) {
		t.Errorf("%v", err)
	}
	if _, err := issuer.New(config, a, a); !errors.Is(err, issuer.ErrKeyCollision) {
		t.Errorf("the same key twice: %v", err)
	}
	// A request for b that meets an issuer with a alone is answered under a: the
	// client notices, since the proof is not b's.
	p := single(t, b)
	q, err := newIssuer(t, a).Parse(privacypass.Single, p.Request())
	if err != nil {
		t.Fatal(err)
	}
	r, err := q.Issue()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Finalize(r.Body); !errors.Is(err, client.ErrResponse) {
		t.Errorf("answer under the other key: %v", err)
	}
}

// TestTrapBatchBoundedBeforeAllocation: a body of megabytes is refused for its
// number of tokens at the price of a few small allocations.
func TestTrapBatchBoundedBeforeAllocation(t *testing.T) {
	k := generate(t, privacypass.VOPRFRistretto255)
	one := single(t, k).Request()
	iss, err := issuer.New(issuer.Config{Rand: rand.Reader, MaxBatch: 4}, k)
	if err != nil {
		t.Fatal(err)
	}
	for kind, body := range map[privacypass.Kind]func(n int) []byte{
		privacypass.Amortized: func(n int) []byte { return amortized(k, bytes.Repeat(one[3:], n)) },
		privacypass.Generic:   func(n int) []byte { return generic(bytes.Repeat(one, n)) },
	} {
		if q, err := iss.Parse(kind, body(4)); err != nil || q.Count() != 4 || len(q.Keys()) != 4 || q.Keys()[3] != k.ID() {
			t.Errorf("%v: at the limit: %v", kind, err)
		}
		for _, n := range []int{0, 5, 50000} {
			b := body(n)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := iss.Parse(kind, b)
			runtime.ReadMemStats(&after)
			if !errors.Is(err, privacypass.ErrBatchSize) || !errors.Is(err, issuer.ErrUnprocessable) {
				t.Errorf("%v: %d tokens: %v", kind, n, err)
			}
			if size := after.TotalAlloc - before.TotalAlloc; size > 8<<10 {
				t.Errorf("%v: %d tokens: %d octets allocated", kind, n, size)
			}
		}
	}
}

// TestTrapFailedEntriesAreAbsent: what a generic batch does not issue is marked
// absent, never sent as an empty or zero response.
func TestTrapFailedEntriesAreAbsent(t *testing.T) {
	k, rsa := generate(t, privacypass.VOPRFRistretto255), generate(t, privacypass.BlindRSA)
	stranger := generate(t, privacypass.VOPRFP384)
	iss := newIssuer(t, k, rsa)
	p, err := client.Generic(rand.Reader, []client.Want{want(t, k), want(t, stranger), want(t, rsa), want(t, k)})
	if err != nil {
		t.Fatal(err)
	}
	q, err := iss.Parse(privacypass.Generic, p.Request())
	if err != nil {
		t.Fatal(err)
	}
	if ids := q.Keys(); len(ids) != 4 || ids[0] != k.ID() || ids[1] != (privacypass.KeyID{}) || ids[2] != rsa.ID() {
		t.Errorf("keys %x", ids)
	}
	r, err := q.Issue()
	if err != nil || r.Status != 206 || r.Issued != 3 || r.MediaType != privacypass.MediaTypeGenericResponse {
		t.Fatalf("%+v, %v", r, err)
	}
	s, err := privacypass.ParseGenericResponse(r.Body, 4)
	if err != nil || len(s.Responses) != 4 || s.Responses[1] != nil || s.Responses[0] == nil || s.Responses[3] == nil {
		t.Fatalf("%+v, %v", s, err)
	}
	tokens, err := p.Finalize(r.Body)
	if err != nil || len(tokens) != 3 || tokens[1].TokenType != privacypass.BlindRSA {
		t.Fatalf("%d tokens, %v", len(tokens), err)
	}

	// The same for elements that fail only when they are evaluated.
	bad := request(k, badElements(k)["identity"])
	good := single(t, k).Request()
	for _, tc := range []struct {
		requests       [][]byte
		status, issued int
	}{
		{[][]byte{good, bad}, 206, 1},
		{[][]byte{bad, good, request(rsa, make([]byte, 256))}, 206, 1},
		{[][]byte{bad, bad}, 400, 0},
		{[][]byte{good, good}, 200, 2},
	} {
		q, err := iss.Parse(privacypass.Generic, generic(tc.requests...))
		if err != nil {
			t.Fatal(err)
		}
		r, err := q.Issue()
		if err != nil || r.Status != tc.status || r.Issued != tc.issued {
			t.Fatalf("%+v, %v; want %d", r, err, tc.status)
		}
		if tc.issued == 0 {
			if r.Body != nil || r.MediaType != "" {
				t.Errorf("status 400 with content: %+v", r)
			}
			continue
		}
		s, err := privacypass.ParseGenericResponse(r.Body, len(tc.requests))
		if err != nil || s.Issued() != tc.issued {
			t.Errorf("%+v, %v", s, err)
		}
	}
}

// TestTrapLazilyCachedPublicKey: keys whose public half is computed on first use
// race when the first uses are concurrent. Run with -race.
func TestTrapLazilyCachedPublicKey(t *testing.T) {
	for _, typ := range privacypass.TokenTypes() {
		made := generate(t, typ)
		k, err := issuer.ParseKey(made.Marshal()) // fresh, never used
		if err != nil {
			t.Fatal(err)
		}
		iss := newIssuer(t, k)
		body := single(t, made).Request()
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 3 {
					q, err := iss.Parse(privacypass.Single, body)
					if err != nil {
						t.Error(err)
						return
					}
					if _, err := q.Issue(); err != nil {
						t.Error(err)
					}
					if !bytes.Equal(k.PublicKey(), made.PublicKey()) || k.ID() != made.ID() {
						t.Error("public key changed")
					}
				}
			})
		}
		wg.Wait()
	}
}

func TestUnknownKey(t *testing.T) {
	k := generate(t, privacypass.VOPRFRistretto255)
	body := single(t, k).Request()
	body[2]++
	iss := newIssuer(t, k)
	if _, err := iss.Parse(privacypass.Single, body); !errors.Is(err, issuer.ErrUnknownKey) || !errors.Is(err, issuer.ErrUnprocessable) {
		t.Errorf("%v", err)
	}
	// The same truncated identifier under another type is another key.
	other := generate(t, privacypass.VOPRFP384)
	if _, err := iss.Parse(privacypass.Single, single(t, other).Request()); !errors.Is(err, issuer.ErrUnknownKey) {
		t.Errorf("%v", err)
	}
}

func TestFailingRandomSource(t *testing.T) {
	k := generate(t, privacypass.VOPRFRistretto255)
	iss, err := issuer.New(issuer.Config{Rand: io.LimitReader(rand.Reader, 0)}, k)
	if err != nil {
		t.Fatal(err)
	}
	q, err := iss.Parse(privacypass.Single, single(t, k).Request())
	if err != nil {
		t.Fatal(err)
	}
	if r, err := q.Issue(); !errors.Is(err, issuer.ErrFault) || errors.Is(err, issuer.ErrUnprocessable) || r != nil {
		t.Errorf("%v", err)
	}
	for _, typ := range []privacypass.TokenType{privacypass.VOPRFP384, privacypass.VOPRFRistretto255} {
		if _, err := issuer.GenerateKey(typ, io.LimitReader(rand.Reader, 31)); !errors.Is(err, issuer.ErrFault) {
			t.Errorf("GenerateKey: %v", err)
		}
	}
	for _, c := range []issuer.Config{{}, {Rand: rand.Reader, MaxBatch: -1}, {Rand: rand.Reader, MaxBatch: privacypass.MaxAmortized + 1}} {
		if _, err := issuer.New(c); err == nil {
			t.Errorf("%+v accepted", c)
		}
	}
}
