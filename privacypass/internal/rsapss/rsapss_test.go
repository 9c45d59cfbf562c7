package rsapss

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/big"
	"os"
	"strings"
	"testing"
)

type octets []byte

func (o *octets) UnmarshalText(b []byte) (err error) {
	*o, err = hex.DecodeString(strings.TrimPrefix(string(b), "0x"))
	return err
}

type vector struct {
	Name                   string
	N, Msg, Salt, Inv, Sig octets
	InputMsg               octets `json:"input_msg"`
	BlindedMsg             octets `json:"blinded_msg"`
	BlindSig               octets `json:"blind_sig"`
}

func vectors(t *testing.T) (all []vector) {
	t.Helper()
	for _, name := range []string{"circl_test_vectors_rfc9474.json", "test_vectors.json"} {
		b, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		var vs []vector
		if err := json.Unmarshal(b, &vs); err != nil {
			t.Fatal(err)
		}
		for _, v := range vs {
			if v.InputMsg == nil {
				v.InputMsg = v.Msg
			}
			v.N = bytes.TrimLeft(v.N, "\x00")
			v.Inv = append(make([]byte, max(0, len(v.N)-len(v.Inv))), v.Inv...)
			all = append(all, v)
		}
	}
	return all
}

func TestRFC9474Vectors(t *testing.T) {
	vs := vectors(t)
	if len(vs) != 6 {
		t.Fatalf("%d vectors", len(vs))
	}
	for _, v := range vs {
		k, err := New(v.N)
		if err != nil {
			t.Fatal(err)
		}
		inverse := v.Inv[len(v.Inv)-len(v.N):]
		r := new(big.Int).ModInverse(new(big.Int).SetBytes(inverse), new(big.Int).SetBytes(v.N))
		b := Blind{r.FillBytes(make([]byte, k.Size())), inverse}
		z, err := k.Blind(v.InputMsg, v.Salt, b)
		if err != nil || !bytes.Equal(z, v.BlindedMsg) {
			t.Errorf("%s: blinded %x, %v", v.Name, z, err)
		}
		sig, err := k.Finalize(v.InputMsg, v.Salt, v.BlindSig, b)
		if err != nil || !bytes.Equal(sig, v.Sig) {
			t.Errorf("%s: signature %x, %v", v.Name, sig, err)
		}
		if err := k.Verify(v.InputMsg, v.Sig, len(v.Salt)); err != nil {
			t.Errorf("%s: %v", v.Name, err)
		}
		if err := k.Verify(v.InputMsg, v.Sig, SaltSize-len(v.Salt)); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: other salt length: %v", v.Name, err)
		}
	}
}

// TestVerifyAgainstCryptoRSA compares with the standard library, on its own
// signatures and on damaged ones.
func TestVerifyAgainstCryptoRSA(t *testing.T) {
	priv, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	k, err := New(priv.N.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	msg := []byte("message")
	hash := sha512.Sum384(msg)
	opts := &rsa.PSSOptions{SaltLength: SaltSize}
	sig, err := rsa.SignPSS(rand.Reader, priv, crypto.SHA384, hash[:], opts)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Verify(msg, sig, SaltSize); err != nil {
		t.Fatal(err)
	}
	for i := range sig {
		bad := bytes.Clone(sig)
		bad[i] ^= 1 << (i % 8)
		theirs := rsa.VerifyPSS(&priv.PublicKey, crypto.SHA384, hash[:], bad, opts)
		if ours := k.Verify(msg, bad, SaltSize); (ours == nil) != (theirs == nil) {
			t.Fatalf("octet %d: ours %v, theirs %v", i, ours, theirs)
		}
	}
	// Every encoding that differs in one octet from a valid one must fail too:
	// sign them raw, so that the checks behind the exponentiation are reached.
	em := Encode(msg, make([]byte, SaltSize), 256)
	for i := range em {
		bad := bytes.Clone(em)
		bad[i] ^= 1 << (i % 7)
		s := new(big.Int).Exp(new(big.Int).SetBytes(bad), priv.D, priv.N).FillBytes(make([]byte, 256))
		if new(big.Int).SetBytes(bad).Cmp(priv.N) >= 0 {
			continue
		}
		theirs := rsa.VerifyPSS(&priv.PublicKey, crypto.SHA384, hash[:], s, opts)
		if ours := k.Verify(msg, s, SaltSize); ours == nil || theirs == nil {
			t.Fatalf("encoding with octet %d changed: ours %v, theirs %v", i, ours, theirs)
		}
	}
	for _, wrong := range [][]byte{nil, sig[:255], append(bytes.Clone(sig), 0), bytes.Repeat([]byte{0xff}, 256), priv.N.Bytes()} {
		if err := k.Verify(msg, wrong, SaltSize); !errors.Is(err, ErrSignature) {
			t.Errorf("signature of %d octets: %v", len(wrong), err)
		}
	}
}

func TestBlindWithDrawnFactor(t *testing.T) {
	priv, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	k, err := New(priv.N.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	b, err := k.NewBlind(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	msg, salt := []byte("message"), make([]byte, SaltSize)
	z, err := k.Blind(msg, salt, b)
	if err != nil {
		t.Fatal(err)
	}
	blindSig := new(big.Int).Exp(new(big.Int).SetBytes(z), priv.D, priv.N).FillBytes(make([]byte, 256))
	sig, err := k.Finalize(msg, salt, blindSig, b)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Verify(msg, sig, SaltSize); err != nil {
		t.Error(err)
	}
	blindSig[255] ^= 1
	if _, err := k.Finalize(msg, salt, blindSig, b); !errors.Is(err, ErrSignature) {
		t.Errorf("damaged blind signature: %v", err)
	}
	b.Inverse[255] ^= 1
	if _, err := k.Blind(msg, salt, b); !errors.Is(err, ErrMessage) {
		t.Errorf("factors that are not inverse: %v", err)
	}
}

// TestModulusWithSmallFactors: an issuer could publish a modulus with many small
// factors and learn from a non-coprime blinded message. None must leave.
func TestModulusWithSmallFactors(t *testing.T) {
	n := new(big.Int).Lsh(big.NewInt(1), 2047)
	n.SetBit(n, 0, 1)
	for new(big.Int).Mod(n, big.NewInt(3*5*7)).Sign() != 0 {
		n.Add(n, big.NewInt(2))
	}
	k, err := New(n.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	one := append(make([]byte, 255), 1)
	refused := 0
	for i := range 64 {
		if _, err := k.Blind([]byte{byte(i)}, nil, Blind{one, one}); errors.Is(err, ErrMessage) {
			refused++
		}
	}
	if refused < 16 {
		t.Errorf("only %d of 64 messages refused", refused)
	}
}

func TestSPKI(t *testing.T) {
	priv, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	k, err := New(priv.N.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	der, err := k.MarshalSPKI()
	if err != nil || len(der) != 342 {
		t.Fatalf("%d octets, %v", len(der), err)
	}
	if back, err := ParseSPKI(der); err != nil || !bytes.Equal(back.n.Nat().Bytes(back.n), priv.N.Bytes()) {
		t.Errorf("round trip: %v", err)
	}
	for i := range der {
		if _, err := ParseSPKI(der[:i]); !errors.Is(err, ErrKey) {
			t.Errorf("prefix of %d octets: %v", i, err)
		}
	}
	if _, err := ParseSPKI(append(bytes.Clone(der), 0)); !errors.Is(err, ErrKey) {
		t.Errorf("trailing octet: %v", err)
	}
	for name, at := range map[string]int{"algorithm": 18, "salt length": 65, "leading bit of the modulus": 81, "exponent": 341, "parity": 336} {
		bad := bytes.Clone(der)
		bad[at] ^= 0x81
		if _, err := ParseSPKI(bad); !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
