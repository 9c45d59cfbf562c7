package mls_test

import (
	"testing"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
)

// passiveCase is a client that joins by Welcome and follows the group.
type passiveCase struct {
	CipherSuite  mls.CipherSuite `json:"cipher_suite"`
	ExternalPSKs []struct {
		ID  hexBytes `json:"psk_id"`
		PSK hexBytes
	} `json:"external_psks"`
	KeyPackage                hexBytes `json:"key_package"`
	SignaturePriv             hexBytes `json:"signature_priv"`
	EncryptionPriv            hexBytes `json:"encryption_priv"`
	InitPriv                  hexBytes `json:"init_priv"`
	Welcome                   hexBytes
	RatchetTree               *hexBytes `json:"ratchet_tree"`
	InitialEpochAuthenticator hexBytes  `json:"initial_epoch_authenticator"`
	Epochs                    []struct {
		Proposals          []hexBytes
		Commit             hexBytes
		EpochAuthenticator hexBytes `json:"epoch_authenticator"`
	}
}

func vectorsPassiveWelcome(t *testing.T)        { vectorsPassive(t, "passive-client-welcome") }
func vectorsPassiveHandlingCommit(t *testing.T) { vectorsPassive(t, "passive-client-handling-commit") }
func vectorsPassiveRandom(t *testing.T)         { vectorsPassive(t, "passive-client-random") }
func vectorsPassiveExternalJoin(t *testing.T)   { vectorsPassive(t, "interop-passive-external_join") }

// vectorsPassive follows each case to its end, saving and restoring the state
// at each epoch.
func vectorsPassive(t *testing.T, file string) {
	suites := map[mls.CipherSuite]bool{}
	for i, v := range loadVectors[passiveCase](t, file) {
		suites[v.CipherSuite] = true
		cfg := v.config(t)
		g, err := v.join(t, cfg)
		if err != nil {
			t.Fatalf("case %d: %v", i, err)
		}
		wantAuthenticator(t, g, v.InitialEpochAuthenticator)
		for j, e := range v.Epochs {
			for _, p := range e.Proposals {
				if _, err := g.Process(message(t, p)); err != nil {
					t.Fatalf("case %d, epoch %d: proposal: %v", i, j, err)
				}
			}
			r, err := g.Process(message(t, e.Commit))
			if err != nil {
				t.Fatalf("case %d, epoch %d: commit: %v", i, j, err)
			}
			if r.Committed == nil {
				t.Fatalf("case %d, epoch %d: not a commit", i, j)
			}
			wantAuthenticator(t, g, e.EpochAuthenticator)
			state, err := g.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			if g, err = group.Restore(cfg, state.Reveal()); err != nil {
				t.Fatalf("case %d, epoch %d: %v", i, j, err)
			}
		}
	}
	if want := 7; file != "passive-client-random" && len(suites) != want {
		t.Errorf("%s covers %d suites, want %d", file, len(suites), want)
	}
}

// config puts the client's keys where a client of its own would have them.
func (v *passiveCase) config(t *testing.T) group.Config {
	s := mustSuite(t, v.CipherSuite)
	store := group.NewMemoryStore()
	for _, p := range v.ExternalPSKs {
		store.PutExternalPSK(p.ID, p.PSK.secret())
	}
	signer, err := s.ParseSignatureKey(v.SignaturePriv.secret())
	if err != nil {
		t.Fatal(err)
	}
	own := &group.KeyPackage{Public: message(t, v.KeyPackage).KeyPackage,
		InitKey: hpkeKey(v.CipherSuite, v.InitPriv), LeafKey: hpkeKey(v.CipherSuite, v.EncryptionPriv), Signer: signer}
	wantBytes(t, "signature key", signer.Public(), own.Public.LeafNode.SignatureKey)
	ref, err := own.Ref()
	if err != nil {
		t.Fatal(err)
	}
	if err := store.PutKeyPackage(ref, own); err != nil {
		t.Fatal(err)
	}
	return group.Config{KeyPackages: store, PSKs: store, ResumptionEpochs: 1 << 10}
}

func (v *passiveCase) join(t *testing.T, cfg group.Config) (*group.Group, error) {
	var o group.JoinOptions
	if v.RatchetTree != nil {
		if err := mls.Unmarshal(*v.RatchetTree, &o.Tree); err != nil {
			t.Fatal(err)
		}
	}
	return group.JoinWelcome(cfg, message(t, v.Welcome).Welcome, o)
}

// hpkeKey pads a published key: P-521 scalars come without leading zeros.
func hpkeKey(c mls.CipherSuite, b hexBytes) mls.HPKEPrivateKey {
	if c == mls.P521AES256GCM {
		b = append(make(hexBytes, 66-len(b)), b...)
	}
	return mls.HPKEPrivateKey{Bytes: secret.Clone(b)}
}

func message(t *testing.T, b []byte) *mls.Message {
	t.Helper()
	m := new(mls.Message)
	if err := mls.Unmarshal(b, m); err != nil {
		t.Fatal(err)
	}
	return m
}

func wantAuthenticator(t *testing.T, g *group.Group, want []byte) {
	t.Helper()
	got, err := g.EpochAuthenticator()
	if err != nil {
		t.Fatal(err)
	}
	if !got.Equal(secret.Clone(want)) {
		t.Fatalf("epoch %d: authenticator differs", g.Epoch())
	}
}
