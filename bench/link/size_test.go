package link

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// TestOverheads compares the constants with what a client and a delivery service
// really make of a text.
func TestOverheads(t *testing.T) {
	suite, err := mls.X25519AES128GCM.Suite()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := suite.GenerateSignatureKey(rand.NewChaCha8([32]byte{1}))
	if err != nil {
		t.Fatal(err)
	}
	me := &group.Client{Suite: suite.ID(), Credential: mls.BasicCredential(make([]byte, 16)), Signer: signer,
		Lifetime: mls.Lifetime{NotAfter: 1 << 40}}
	var id wire.GroupID
	g, err := group.Create(group.Config{}, me, id[:], nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{100, 5000} {
		m, err := g.Send(make([]byte, n), group.MessageOptions{})
		if err != nil {
			t.Fatal(err)
		}
		encoded, err := mls.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		payload, err := mls.Marshal(&wire.Fanout{Kind: wire.FanoutApplication, Domain: "ds.example.org", Group: id, Message: encoded})
		if err != nil {
			t.Fatal(err)
		}
		if got := len(encoded) - n; got < frameOverhead-8 || got > frameOverhead+8 {
			t.Errorf("MLS adds %d octets to %d", got, n)
		}
		if got := 4 + len(payload) - len(encoded); got < fanoutOverhead-8 || got > fanoutOverhead+8 {
			t.Errorf("the delivery service adds %d octets", got)
		}
	}
}

// TestSizeTrial compares the formula with the attack itself, played.
func TestSizeTrial(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	for i := range SizeSchemes {
		s := &SizeSchemes[i]
		frequency, cost := s.frequencies(r, 400_000)
		if (cost == 1) != (s.Name == "none") || cost < 1 {
			t.Errorf("%s costs %v", s.Name, cost)
		}
		draw := func() int { return s.Padded(SizeWorkload(r) + overhead) }
		const n, candidates = 20_000, 10
		formula, played := 0.0, 0.0
		for range n {
			formula += sizeTrial(r, frequency, s, 1, candidates)
			mine, fit := draw(), 1
			for range candidates - 1 {
				if draw() == mine {
					fit++
				}
			}
			played += 1 / float64(fit)
		}
		if math.Abs(formula-played)/n > 0.015 {
			t.Errorf("%s: %.3f by formula, %.3f played", s.Name, formula/n, played/n)
		}
	}
}

// TestSchemes: padding never cuts, and hides what it should.
func TestSchemes(t *testing.T) {
	for _, s := range SizeSchemes {
		for n := 1; n < 200_000; n += 1 + n/50 {
			if s.Padded(n) < n {
				t.Fatalf("%s makes %d of %d", s.Name, s.Padded(n), n)
			}
		}
		if s.Name != "none" && s.Padded(300) != s.Padded(301) && s.Padded(301) != s.Padded(302) {
			t.Errorf("%s tells 300 from 301 and 302", s.Name)
		}
	}
}
