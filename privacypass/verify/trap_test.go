package verify_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/x509"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	mathrand "math/rand/v2"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/internal/voprf"
	"github.com/pseudods/pseudods/privacypass/issuer"
	"github.com/pseudods/pseudods/privacypass/verify"
	"github.com/pseudods/pseudods/privacypass/verify/private"
)

// mislabelled returns a token that k authenticates and that carries the
// identifier of another key. A client gets one by blinding such an input: the
// issuer cannot see it.
func mislabelled(t *testing.T, k issuer.Key, id privacypass.KeyID, digest [32]byte) *privacypass.Token {
	t.Helper()
	tok := &privacypass.Token{TokenType: k.TokenType(), ChallengeDigest: digest, KeyID: id}
	rand.Read(tok.Nonce[:])
	in := tok.AuthenticatorInput()
	raw := k.Marshal().Reveal()[2:]
	var err error
	if k.TokenType() == privacypass.BlindRSA {
		parsed, err := x509.ParsePKCS8PrivateKey(raw)
		if err != nil {
			t.Fatal(err)
		}
		hash := sha512.Sum384(in[:])
		tok.Authenticator, err = rsa.SignPSS(rand.Reader, parsed.(*rsa.PrivateKey), crypto.SHA384, hash[:], &rsa.PSSOptions{SaltLength: 48})
		if err != nil {
			t.Fatal(err)
		}
		return tok
	}
	suite := map[privacypass.TokenType]voprf.Suite{
		privacypass.VOPRFP384: voprf.P384, privacypass.VOPRFRistretto255: voprf.Ristretto255,
	}[k.TokenType()]
	key, err := suite.NewPrivateKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	if tok.Authenticator, err = key.Evaluate(in[:]); err != nil {
		t.Fatal(err)
	}
	return tok
}

func verifying(t *testing.T, k issuer.Key) verify.Key {
	t.Helper()
	var v verify.Key
	var err error
	if k.TokenType() == privacypass.BlindRSA {
		v, err = verify.NewBlindRSA(k.PublicKey())
	} else {
		v, err = private.NewKey(k.Marshal())
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestTrapKeyIDOfAnotherKey: a token filed under another key's identifier would
// be forgotten when that key retires, and could be spent again. The whole
// identifier has to be that of the key that verified.
func TestTrapKeyIDOfAnotherKey(t *testing.T) {
	for _, typ := range privacypass.TokenTypes() {
		a, b := generate(t, typ, rand.Reader), generate(t, typ, rand.Reader)
		f := newFixture(t, a)
		set, err := verify.NewKeySet(issuerName, verifying(t, a), verifying(t, b))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := set.Verify(mislabelled(t, a, a.ID(), f.issue(t).ChallengeDigest), f.expected); err != nil {
			t.Fatalf("%v: rightly labelled: %v", typ, err)
		}
		// The identifier of another live key.
		tok := mislabelled(t, a, b.ID(), f.issue(t).ChallengeDigest)
		if r, err := set.Verify(tok, f.expected); !errors.Is(err, verify.ErrAuthenticator) || !r.IsZero() {
			t.Errorf("%v: labelled as another key: %v", typ, err)
		}
		// An identifier that agrees with the key's in its last octet alone, or in all
		// but one.
		for _, change := range []func(*privacypass.KeyID){
			func(id *privacypass.KeyID) { *id = privacypass.KeyID{31: id[31]} },
			func(id *privacypass.KeyID) { id[0] ^= 1 },
			func(id *privacypass.KeyID) { id[31] ^= 1 },
		} {
			id := a.ID()
			change(&id)
			tok := mislabelled(t, a, id, f.issue(t).ChallengeDigest)
			if r, err := set.Verify(tok, f.expected); !errors.Is(err, verify.ErrUnknownKey) || !r.IsZero() {
				t.Errorf("%v: labelled %x: %v", typ, id, err)
			}
		}
	}
}

// TestTrapTruncatedKeyIDCollisions: two live keys that share the last octet, as
// an old and a new key may, are told apart.
func TestTrapTruncatedKeyIDCollisions(t *testing.T) {
	r := mathrand.NewChaCha8([32]byte{7})
	seen := map[uint8]issuer.Key{}
	for range 257 {
		b := generate(t, privacypass.VOPRFRistretto255, r)
		a, ok := seen[b.ID().Truncated()]
		seen[b.ID().Truncated()] = b
		if !ok {
			continue
		}
		set, err := verify.NewKeySet(issuerName, verifying(t, a), verifying(t, b))
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range []issuer.Key{a, b} {
			f := newFixture(t, k)
			if got, err := set.Verify(f.issue(t), f.expected); err != nil || got.KeyID() != k.ID() {
				t.Errorf("key %x: %v", k.ID(), err)
			}
		}
		if _, err := verify.NewKeySet(issuerName, verifying(t, a), verifying(t, a)); !errors.Is(err, verify.ErrDuplicateKey) {
			t.Errorf("the same key twice: %v", err)
		}
		return
	}
	t.Fatal("no collision in 257 keys")
}

// TestTrapConstantTimeComparison: authenticators and identifiers are compared by
// crypto/subtle and nothing else. Time itself is too noisy to test, so the test
// reads the source.
func TestTrapConstantTimeComparison(t *testing.T) {
	for file, functions := range map[string][]string{
		"private/private.go": {"Check"},
		"keyset.go":          {"find", "Verify"},
	} {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range functions {
			compares := 0
			for _, d := range parsed.Decls {
				f, ok := d.(*ast.FuncDecl)
				if !ok || f.Name.Name != name {
					continue
				}
				ast.Inspect(f, func(n ast.Node) bool {
					switch n := n.(type) {
					case *ast.SelectorExpr:
						switch n.Sel.Name {
						case "ConstantTimeCompare":
							compares++
						case "Compare", "DeepEqual", "EqualFold":
							t.Errorf("%s: %s calls %s", file, name, n.Sel.Name)
						}
						if x, ok := n.X.(*ast.Ident); ok && x.Name == "bytes" {
							t.Errorf("%s: %s uses package bytes", file, name)
						}
					case *ast.BinaryExpr:
						for _, side := range []ast.Expr{n.X, n.Y} {
							if s, ok := side.(*ast.SelectorExpr); ok && (n.Op == token.EQL || n.Op == token.NEQ) &&
								(s.Sel.Name == "KeyID" || s.Sel.Name == "Authenticator" || s.Sel.Name == "digest") {
								t.Errorf("%s: %s compares %s with %v", file, name, s.Sel.Name, n.Op)
							}
						}
					}
					return true
				})
			}
			if compares == 0 {
				t.Errorf("%s: %s does not compare in constant time", file, name)
			}
		}
	}
}

// TestTrapLazilyCachedKey: verifying keys are used concurrently from their first
// use on. Run with -race.
func TestTrapLazilyCachedKey(t *testing.T) {
	for _, typ := range privacypass.TokenTypes() {
		f := newFixture(t, generate(t, typ, rand.Reader))
		tok := f.issue(t)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if _, err := f.set.Verify(tok, f.expected); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
}

// TestPublicVerifierLinksNoIssuingCode: an origin that redeems public tokens
// links neither the issuer nor anything that computes with a private key.
func TestPublicVerifierLinksNoIssuingCode(t *testing.T) {
	const module = "github.com/pseudods/pseudods/"
	out, err := exec.Command("go", "list", "-deps", module+"privacypass/verify").Output()
	if err != nil {
		t.Fatal(err)
	}
	allowed := map[string]bool{
		"internal/tlscodec": true, "privacypass": true, "privacypass/internal/rsapss": true, "privacypass/verify": true,
	}
	found := 0
	for dep := range strings.Lines(string(out)) {
		dep = strings.TrimSpace(dep)
		if own, ok := strings.CutPrefix(dep, module); ok {
			if found++; !allowed[own] {
				t.Errorf("verify links %s", own)
			}
		} else if strings.Contains(dep, "circl") || strings.Contains(dep, "ristretto") || strings.HasPrefix(dep, "filippo.io/nistec") ||
			dep == "crypto/rsa" || dep == "net" || dep == "os/exec" {
			t.Errorf("verify links %s", dep)
		}
	}
	if found != len(allowed) {
		t.Errorf("%d own packages linked", found)
	}
}

func TestPrivateKeyIsStrict(t *testing.T) {
	for _, typ := range []privacypass.TokenType{privacypass.VOPRFP384, privacypass.VOPRFRistretto255} {
		raw := generate(t, typ, rand.Reader).Marshal().Reveal()
		for n := range raw {
			if _, err := private.NewKey(secret.Clone(raw[:n])); !errors.Is(err, verify.ErrKey) {
				t.Errorf("%v: prefix of %d octets: %v", typ, n, err)
			}
		}
		if _, err := private.NewKey(secret.New(append(raw[:len(raw):len(raw)], 0))); !errors.Is(err, verify.ErrKey) {
			t.Errorf("%v: trailing octet: %v", typ, err)
		}
	}
	for _, typ := range []privacypass.TokenType{privacypass.BlindRSA, 0} {
		if _, err := private.NewKey(secret.New([]byte{byte(typ >> 8), byte(typ), 1})); !errors.Is(err, privacypass.ErrTokenType) {
			t.Errorf("%v: %v", typ, err)
		}
	}
}
