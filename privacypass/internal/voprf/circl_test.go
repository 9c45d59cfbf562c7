package voprf

import (
	"bytes"
	"crypto/rand"
	"errors"
	"testing"

	"filippo.io/bigmod"
	"filippo.io/nistec"
	circlgroup "github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/oprf"
	"github.com/cloudflare/circl/zk/dleq"
)

var peers = map[string]struct {
	ours   Suite
	theirs oprf.Suite
}{
	"ristretto255": {Ristretto255, oprf.SuiteRistretto255},
	"P384":         {P384, oprf.SuiteP384},
}

// TestAgainstCircl has each implementation answer and open the other's messages,
// for random keys and inputs.
func TestAgainstCircl(t *testing.T) {
	for name, p := range peers {
		for _, n := range []int{1, 2, 5} {
			key, err := p.ours.GenerateKey(rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			public, err := p.ours.NewPublicKey(key.Public())
			if err != nil {
				t.Fatal(err)
			}
			var theirKey oprf.PrivateKey
			if err := theirKey.UnmarshalBinary(p.theirs, key.Bytes()); err != nil {
				t.Fatal(err)
			}
			server := oprf.NewVerifiableServer(p.theirs, &theirKey)
			theirClient := oprf.NewVerifiableClient(p.theirs, theirKey.Public())

			inputs, blinds, blinded := make([][]byte, n), make([][]byte, n), make([][]byte, n)
			var request oprf.EvaluationRequest
			for i := range inputs {
				inputs[i] = make([]byte, 98)
				rand.Read(inputs[i])
				if blinds[i], err = public.RandomBlind(rand.Reader); err != nil {
					t.Fatal(err)
				}
				if blinded[i], err = public.Blind(inputs[i], blinds[i]); err != nil {
					t.Fatal(err)
				}
				request.Elements = append(request.Elements, element(t, p.theirs.Group(), blinded[i]))
				out, err := key.Evaluate(inputs[i])
				if err != nil || !server.VerifyFinalize(inputs[i], out) {
					t.Errorf("%s: circl refuses our output: %v", name, err)
				}
			}

			// Our answer for their client.
			finalize, theirRequest, err := theirClient.Blind(inputs)
			if err != nil {
				t.Fatal(err)
			}
			evaluated, proof, err := key.BlindEvaluate(rand.Reader, encodeElements(t, theirRequest.Elements))
			if err != nil {
				t.Fatal(err)
			}
			theirs := oprf.Evaluation{Proof: new(dleq.Proof)}
			if err := theirs.Proof.UnmarshalBinary(p.theirs.Group(), proof); err != nil {
				t.Fatal(err)
			}
			for _, e := range evaluated {
				theirs.Elements = append(theirs.Elements, element(t, p.theirs.Group(), e))
			}
			want, err := theirClient.Finalize(finalize, &theirs)
			if err != nil {
				t.Fatalf("%s: circl refuses our proof over %d: %v", name, n, err)
			}

			// Their answer for our client.
			answer, err := server.Evaluate(&request)
			if err != nil {
				t.Fatal(err)
			}
			theirProof, err := answer.Proof.MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			got, err := public.Finalize(inputs, blinds, blinded, encodeElements(t, answer.Elements), theirProof)
			if err != nil {
				t.Fatalf("%s: we refuse circl's proof over %d: %v", name, n, err)
			}
			for i := range got {
				if !bytes.Equal(got[i], want[i]) {
					t.Errorf("%s: outputs differ", name)
				}
			}
		}
	}
}

func element(t *testing.T, g circlgroup.Group, b []byte) circlgroup.Element {
	t.Helper()
	e := g.NewElement()
	if err := e.UnmarshalBinary(b); err != nil {
		t.Fatal(err)
	}
	return e
}

func encodeElements(t *testing.T, in []circlgroup.Element) [][]byte {
	t.Helper()
	out := make([][]byte, len(in))
	for i, e := range in {
		var err error
		if out[i], err = e.MarshalBinaryCompress(); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// TestHashToP384AgainstCircl covers inputs that the vectors do not, so that each
// candidate is taken for each half.
func TestHashToP384AgainstCircl(t *testing.T) {
	dst := []byte("test")
	for i := range 64 {
		msg := []byte{byte(i)}
		want, err := circlgroup.P384.HashToElement(msg, dst).MarshalBinaryCompress()
		if err != nil {
			t.Fatal(err)
		}
		for _, varTime := range []bool{false, true} {
			if got := hashToP384(msg, dst, varTime).BytesCompressed(); !bytes.Equal(got, want) {
				t.Errorf("message %d: %x, circl has %x", i, got, want)
			}
		}
	}
}

// TestMapZero is the exceptional case of the map, which no hash reaches: x is
// b/(z*a) then, RFC 9380, Section 6.6.2.
func TestMapZero(t *testing.T) {
	zero := small(0)
	p, q := mapPairToP384(zero, small(5), false)
	if x, err := p.BytesX(); err != nil || !bytes.Equal(x, fieldBZA.Bytes(p384Prime)) {
		t.Errorf("x = %x, %v", x, err)
	}
	// The other half of the pair is not disturbed.
	_, alone := mapPairToP384(small(7), small(5), true)
	if !bytes.Equal(q.Bytes(), alone.Bytes()) {
		t.Error("zero in one half changes the other")
	}
}

// TestVarTimeMultiMul compares the shared-doublings sum with one product after
// the other, for scalars with zero digits and equal points among them.
func TestVarTimeMultiMul(t *testing.T) {
	g := p384Group{}
	var scalars []*bigmod.Nat
	var points []*nistec.P384Point
	want := nistec.NewP384Point()
	for i := range 9 {
		b := make([]byte, 48)
		if i < 5 {
			rand.Read(b[1:])
		}
		b[47-5*i] |= 0x10
		s := fromBytes(b, p384Order)
		p := g.mulGenerator(small(uint(1 + i%3)))
		scalars, points = append(scalars, s), append(points, p)
		want.Add(want, g.mul(s, p))
		if got := g.varTimeMultiMul(scalars, points); !bytes.Equal(got.Bytes(), want.Bytes()) {
			t.Errorf("%d products: %x, want %x", i+1, got.Bytes(), want.Bytes())
		}
	}
}

func TestInvert(t *testing.T) {
	for _, m := range []*bigmod.Modulus{p384Prime, p384Order} {
		for range 20 {
			b := make([]byte, 48)
			rand.Read(b)
			x, err := bigmod.NewNat().SetOverflowingBytes(b, m)
			if err != nil {
				t.Fatal(err)
			}
			if mul(x, invert(x, m), m).IsOne() == 0 {
				t.Errorf("%x is not inverted", b)
			}
		}
		if zero := bigmod.NewNat().ExpandFor(m); invert(zero, m).IsZero() == 0 {
			t.Error("zero has an inverse")
		}
	}
}

// zeros is a broken random source.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestInputsAreChecked(t *testing.T) {
	for name, p := range peers {
		key, err := p.ours.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		public, err := p.ours.NewPublicKey(key.Public())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.ours.GenerateKey(zeros{}); !errors.Is(err, errDraws) {
			t.Errorf("%s: key from a source of zeros: %v", name, err)
		}
		for _, n := range []int{0, maxBatch + 1} {
			if _, _, err := key.BlindEvaluate(rand.Reader, make([][]byte, n)); !errors.Is(err, ErrBatch) {
				t.Errorf("%s: %d elements: %v", name, n, err)
			}
		}
		one, none := make([][]byte, 1), [][]byte(nil)
		for i, args := range [][4][][]byte{{none, none, none, none}, {one, none, one, one}, {one, one, none, one}, {one, one, one, none}} {
			if _, err := public.Finalize(args[0], args[1], args[2], args[3], nil); !errors.Is(err, ErrBatch) {
				t.Errorf("%s: lengths %d: %v", name, i, err)
			}
		}
		if _, err := public.Blind(make([]byte, 1<<16), key.Bytes()); !errors.Is(err, ErrInput) {
			t.Errorf("%s: long input: %v", name, err)
		}
		if _, err := key.Evaluate(make([]byte, 1<<16)); !errors.Is(err, ErrInput) {
			t.Errorf("%s: long input: %v", name, err)
		}
		if _, err := public.Blind(nil, make([]byte, p.ours.ScalarSize())); !errors.Is(err, ErrScalar) {
			t.Errorf("%s: zero blind: %v", name, err)
		}
		if _, err := p.ours.DeriveKey(make([]byte, 31), nil); !errors.Is(err, ErrInput) {
			t.Errorf("%s: short seed: %v", name, err)
		}
	}
}
