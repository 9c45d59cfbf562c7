package issuer

import (
	"bytes"
	"crypto/rsa"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/big"
	"os"
	"strings"
	"testing"
)

type number struct{ v *big.Int }

func (n *number) UnmarshalText(b []byte) error {
	s := strings.TrimPrefix(string(b), "0x")
	var ok bool
	if n.v, ok = new(big.Int).SetString(s, 16); !ok {
		return hex.InvalidByteError(b[0])
	}
	return nil
}

type signVector struct {
	Name          string
	P, Q, N, E, D number
	BlindedMsg    string `json:"blinded_msg"`
	BlindSig      string `json:"blind_sig"`
}

func (v *signVector) key() *rsa.PrivateKey {
	return &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: v.N.v, E: int(v.E.v.Int64())}, D: v.D.v, Primes: []*big.Int{v.P.v, v.Q.v},
	}
}

func signVectors(t *testing.T) (all []signVector) {
	t.Helper()
	for _, name := range []string{"circl_test_vectors_rfc9474.json", "test_vectors.json"} {
		b, err := os.ReadFile("../internal/rsapss/testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		var vs []signVector
		if err := json.Unmarshal(b, &vs); err != nil {
			t.Fatal(err)
		}
		all = append(all, vs...)
	}
	if len(all) != 6 {
		t.Fatalf("%d vectors", len(all))
	}
	return all
}

// TestRFC9474BlindSign signs the blinded messages of all variants.
func TestRFC9474BlindSign(t *testing.T) {
	for _, v := range signVectors(t) {
		s, err := newSigner(v.key())
		if err != nil {
			t.Fatal(err)
		}
		blinded, _ := hex.DecodeString(v.BlindedMsg)
		sig, err := s.sign(blinded)
		if err != nil || hex.EncodeToString(sig) != v.BlindSig {
			t.Errorf("%s: %x, %v", v.Name, sig, err)
		}
	}
}

// TestTrapFaultRevealsKey: a signature with one half miscalculated would reveal a
// prime, so none leaves, whichever value the fault hits.
func TestTrapFaultRevealsKey(t *testing.T) {
	v := signVectors(t)[0]
	blinded, _ := hex.DecodeString(v.BlindedMsg)
	for name, fault := range map[string]func(*signer){
		"dP":        func(s *signer) { s.p.exponent[100] ^= 4 },
		"dQ":        func(s *signer) { s.q.exponent[3] ^= 1 },
		"qInv":      func(s *signer) { s.qInv.Add(s.qInv, s.p.prime) },
		"2^n mod p": func(s *signer) { s.p.shift.Add(s.p.shift, s.p.prime) },
		"2^n mod q": func(s *signer) { s.q.shift.Add(s.q.shift, s.q.prime) },
	} {
		s, err := newSigner(v.key())
		if err != nil {
			t.Fatal(err)
		}
		fault(s)
		if sig, err := s.sign(blinded); !errors.Is(err, ErrFault) || sig != nil {
			t.Errorf("%s: %x, %v", name, sig, err)
		}
	}
}

func TestSignerRefusesKeys(t *testing.T) {
	v := signVectors(t)[0]
	for name, change := range map[string]func(*rsa.PrivateKey){
		"exponent 3":     func(k *rsa.PrivateKey) { k.E = 3 },
		"one prime":      func(k *rsa.PrivateKey) { k.Primes = k.Primes[:1] },
		"wrong prime":    func(k *rsa.PrivateKey) { k.Primes[0] = new(big.Int).Add(k.Primes[0], big.NewInt(2)) },
		"wrong exponent": func(k *rsa.PrivateKey) { k.D = new(big.Int).Add(k.D, big.NewInt(2)) },
		"wrong modulus":  func(k *rsa.PrivateKey) { k.N = new(big.Int).Add(k.N, big.NewInt(2)) },
	} {
		k := v.key()
		change(k)
		if _, err := newSigner(k); !errors.Is(err, ErrKeyFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSignsWithoutReduction compares with a plain exponentiation for messages
// around the primes, where the reductions take their other ways.
func TestSignsWithoutReduction(t *testing.T) {
	v := signVectors(t)[0]
	s, err := newSigner(v.key())
	if err != nil {
		t.Fatal(err)
	}
	size := s.public.Size()
	one := big.NewInt(1)
	half := new(big.Int).Lsh(one, uint(4*size))
	for i, c := range []*big.Int{
		big.NewInt(2), v.P.v, v.Q.v, new(big.Int).Sub(v.P.v, one), new(big.Int).Add(v.Q.v, one), half,
		new(big.Int).Sub(half, one), new(big.Int).Sub(v.N.v, big.NewInt(2)), new(big.Int).Mul(v.P.v, big.NewInt(2)),
	} {
		want := new(big.Int).Exp(c, v.D.v, v.N.v).FillBytes(make([]byte, size))
		got, err := s.sign(c.FillBytes(make([]byte, size)))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("message %d: %x, %v", i, got, err)
		}
	}
}
