package voprf

import (
	"bytes"
	"crypto"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
)

// octets decodes hexadecimal strings, which some files prefix with "0x".
type octets []byte

func (o *octets) UnmarshalText(b []byte) (err error) {
	*o, err = hex.DecodeString(strings.TrimPrefix(string(b), "0x"))
	return err
}

// octetList decodes comma-separated hexadecimal strings.
type octetList [][]byte

func (l *octetList) UnmarshalText(b []byte) error {
	for s := range strings.SplitSeq(string(b), ",") {
		var o octets
		if err := o.UnmarshalText([]byte(s)); err != nil {
			return err
		}
		*l = append(*l, o)
	}
	return nil
}

func load(t testing.TB, name string, v any) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		t.Fatal(err)
	}
}

var suites = map[string]Suite{"ristretto255-SHA512": Ristretto255, "P384-SHA384": P384}

func TestRFC9497Vectors(t *testing.T) {
	var sets []struct {
		Identifier    string
		KeyInfo, Seed octets
		SkSm, PkSm    octets
		Vectors       []struct {
			Blind, BlindedElement, EvaluationElement, Input, Output octetList
			Proof                                                   struct{ Proof, R octets }
		}
	}
	load(t, "rfc9497.json", &sets)
	if len(sets) != len(suites) {
		t.Fatalf("%d sets", len(sets))
	}
	for _, set := range sets {
		s := suites[set.Identifier]
		key, err := s.DeriveKey(set.Seed, set.KeyInfo)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(key.Bytes(), set.SkSm) || !bytes.Equal(key.Public(), set.PkSm) {
			t.Fatalf("%s: DeriveKeyPair gives another key", set.Identifier)
		}
		if key, err = s.NewPrivateKey(set.SkSm); err != nil {
			t.Fatal(err)
		}
		pub, err := s.NewPublicKey(set.PkSm)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range set.Vectors {
			for j := range v.Input {
				if b, err := pub.Blind(v.Input[j], v.Blind[j]); err != nil || !bytes.Equal(b, v.BlindedElement[j]) {
					t.Errorf("%s %d: blinded element %x, %v", set.Identifier, i, b, err)
				}
				if out, err := key.Evaluate(v.Input[j]); err != nil || !bytes.Equal(out, v.Output[j]) {
					t.Errorf("%s %d: Evaluate gives %x, %v", set.Identifier, i, out, err)
				}
			}
			// The reader yields r whole for either way of sampling a scalar.
			evaluated, proof, err := key.BlindEvaluate(bytes.NewReader(append(v.Proof.R, make([]byte, 32)...)), v.BlindedElement)
			if err != nil || !bytes.Equal(proof, v.Proof.Proof) {
				t.Errorf("%s %d: proof %x, %v", set.Identifier, i, proof, err)
			}
			for j := range evaluated {
				if !bytes.Equal(evaluated[j], v.EvaluationElement[j]) {
					t.Errorf("%s %d: evaluated element %x", set.Identifier, i, evaluated[j])
				}
			}
			out, err := pub.Finalize(v.Input, v.Blind, v.BlindedElement, v.EvaluationElement, v.Proof.Proof)
			if err != nil {
				t.Fatalf("%s %d: %v", set.Identifier, i, err)
			}
			for j := range out {
				if !bytes.Equal(out[j], v.Output[j]) {
					t.Errorf("%s %d: Finalize gives %x", set.Identifier, i, out[j])
				}
			}
			for j := range v.Proof.Proof {
				bad := bytes.Clone(v.Proof.Proof)
				bad[j] ^= 1 << (j % 8)
				if _, err := pub.Finalize(v.Input, v.Blind, v.BlindedElement, v.EvaluationElement, bad); !errors.Is(err, ErrProof) {
					t.Fatalf("%s %d: proof with octet %d changed: %v", set.Identifier, i, j, err)
				}
			}
		}
	}
}

func TestRFC9380Vectors(t *testing.T) {
	var curve struct {
		DST     string
		Vectors []struct {
			Msg string
			P   struct{ X, Y octets }
		}
	}
	load(t, "P384_XMD_SHA-384_SSWU_RO.json", &curve)
	for _, v := range curve.Vectors {
		want := append(append([]byte{4}, v.P.X...), v.P.Y...)
		for _, varTime := range []bool{false, true} {
			if got := hashToP384([]byte(v.Msg), []byte(curve.DST), varTime).Bytes(); !bytes.Equal(got, want) {
				t.Errorf("%.20q: %x", v.Msg, got)
			}
		}
	}
	var expand struct {
		DST   string
		Tests []struct {
			Msg          string
			LenInBytes   octets `json:"len_in_bytes"`
			UniformBytes octets `json:"uniform_bytes"`
		}
	}
	load(t, "expand_message_xmd_SHA512_38.json", &expand)
	if len(curve.Vectors) == 0 || len(expand.Tests) == 0 {
		t.Fatal("no vectors")
	}
	for _, v := range expand.Tests {
		if got := expandMessageXMD(crypto.SHA512, []byte(v.Msg), []byte(expand.DST), len(v.UniformBytes)); !bytes.Equal(got, v.UniformBytes) {
			t.Errorf("%.20q: %x", v.Msg, got)
		}
	}
}
