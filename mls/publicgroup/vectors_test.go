package publicgroup_test

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/mls/publicgroup"
)

// hexBytes is an octet string as the vectors write it.
type hexBytes []byte

func (h *hexBytes) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	d, err := hex.DecodeString(s)
	*h = d
	return err
}

// passiveCase is one case of the working group's passive-client vectors: what a
// client that joined by a Welcome gets to see.
type passiveCase struct {
	CipherSuite   mls.CipherSuite `json:"cipher_suite"`
	KeyPackage    hexBytes        `json:"key_package"`
	SignaturePriv hexBytes        `json:"signature_priv"`
	LeafPriv      hexBytes        `json:"encryption_priv"`
	InitPriv      hexBytes        `json:"init_priv"`
	Welcome       hexBytes
	RatchetTree   hexBytes `json:"ratchet_tree"`
	ExternalPSKs  []struct {
		ID  hexBytes `json:"psk_id"`
		PSK hexBytes
	} `json:"external_psks"`
	Epochs []struct {
		Proposals          []hexBytes
		Commit             hexBytes
		EpochAuthenticator hexBytes `json:"epoch_authenticator"`
	}
}

// TestPublicGroupFollowsVectors lets a server follow each group of the vectors
// from the tree in the first Welcome on, beside the member whose keys the
// vectors give. All of their handshakes are PublicMessages. After each epoch the
// two must agree, and the member's secrets must be the published ones, which
// proves that both have the tree and transcript of whoever made the vectors.
func TestPublicGroupFollowsVectors(t *testing.T) {
	for file, want := range map[string]struct{ cases, epochs int }{
		"passive-client-welcome":         {56, 0},
		"passive-client-handling-commit": {91, 182},
		"passive-client-random":          {1, 200},
		"interop-passive-external_join":  {42, 28},
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			cases := loadVectors(t, file)
			epochs := 0
			for i := range cases {
				epochs += followVector(t, &cases[i])
			}
			if len(cases) != want.cases || epochs != want.epochs {
				t.Errorf("%d groups, %d epochs followed; want %d, %d", len(cases), epochs, want.cases, want.epochs)
			}
		})
	}
}

func loadVectors(t *testing.T, name string) (cases []passiveCase) {
	f, err := os.Open("../testdata/" + name + ".json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := json.NewDecoder(must(gzip.NewReader(f))).Decode(&cases); err != nil {
		t.Fatal(err)
	}
	return cases
}

// ofVectors is the policy under which the vectors are followed: none has the
// GroupInfos and Welcomes that belong to its commits, and KeyPackages have
// expired.
var ofVectors = publicgroup.Config{GroupInfoOptional: true, WelcomeOptional: true, IgnoreLifetime: true, InlineTree: true,
	MaxProposalsPerSender: 256, MaxPathlessAdds: 1000}

func followVector(t *testing.T, v *passiveCase) (epochs int) {
	info, nodes, join := openVector(t, v)
	m, err := join()
	if err != nil {
		t.Fatal(err)
	}
	cfg := ofVectors
	c, err := publicgroup.Import(cfg, groupInfoMessage(info), nodes)
	if err != nil {
		t.Fatal(err)
	}
	cfg.ExternalJoins = true
	g, err := publicgroup.Create(publicgroup.NewMemory(), cfg, c)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range v.Epochs {
		for _, p := range e.Proposals {
			staged, err := g.StageProposal(p, now)
			if err != nil {
				t.Fatal(err)
			}
			g = must(g.Apply(staged.Changes))
			process(t, m, p)
		}
		staged, err := g.StageCommit(&publicgroup.Bundle{Commit: e.Commit}, now)
		if err != nil {
			t.Fatal(err)
		}
		g = must(g.Apply(staged.Changes))
		process(t, m, e.Commit)
		if a := must(m.EpochAuthenticator()); !bytes.Equal(a.Reveal(), e.EpochAuthenticator) {
			t.Fatal("the member left the group of the vectors")
		}
		agree(t, g, m)
		epochs++
	}
	return epochs
}

// openVector returns the GroupInfo that the Welcome of a vector holds, the tree
// if that is not in it, and a way to join as the vector's client.
func openVector(t *testing.T, v *passiveCase) (*mls.GroupInfo, mls.RatchetTree, func() (*group.Group, error)) {
	s := must(v.CipherSuite.Suite())
	var kp, welcome mls.Message
	mustDo(mls.Unmarshal(v.KeyPackage, &kp))
	mustDo(mls.Unmarshal(v.Welcome, &welcome))
	var nodes mls.RatchetTree
	if len(v.RatchetTree) > 0 {
		mustDo(mls.Unmarshal(v.RatchetTree, &nodes))
	}
	own := &group.KeyPackage{Public: kp.KeyPackage, InitKey: hpkeKey(s, v.InitPriv), LeafKey: hpkeKey(s, v.LeafPriv),
		Signer: must(s.ParseSignatureKey(secret.Clone(v.SignaturePriv)))}
	ref := must(own.Ref())
	store := group.NewMemoryStore()
	mustDo(store.PutKeyPackage(ref, own))
	psks := map[string]secret.Bytes{}
	for _, p := range v.ExternalPSKs {
		psks[string(p.ID)] = secret.Clone(p.PSK)
		store.PutExternalPSK(p.ID, secret.Clone(p.PSK))
	}
	return openWelcome(t, s, welcome.Welcome, ref, own.InitKey, psks), nodes, func() (*group.Group, error) {
		cfg := group.Config{KeyPackages: store, PSKs: store, ResumptionEpochs: len(v.Epochs)}
		return group.JoinWelcome(cfg, welcome.Welcome, group.JoinOptions{Tree: nodes})
	}
}

// hpkeKey reads a private key, which for NIST curves comes without its leading
// zeros.
func hpkeKey(s *mls.Suite, b []byte) mls.HPKEPrivateKey {
	sample, _, err := s.DeriveKeyPair(s.ZeroSecret())
	mustDo(err)
	return mls.HPKEPrivateKey{Bytes: secret.New(append(make([]byte, sample.Len()-len(b)), b...))}
}

// openWelcome decrypts the GroupInfo of a Welcome.
func openWelcome(t *testing.T, s *mls.Suite, w *mls.Welcome, ref mls.KeyPackageRef, key mls.HPKEPrivateKey, keys map[string]secret.Bytes) *mls.GroupInfo {
	for i := range w.Secrets {
		if !bytes.Equal(w.Secrets[i].NewMember, ref) {
			continue
		}
		gs := must(w.OpenGroupSecrets(s, key, &w.Secrets[i]))
		var psks []mls.PSK
		for _, id := range gs.PSKs {
			psks = append(psks, mls.PSK{ID: id, Key: keys[string(id.ID)]})
		}
		return must(w.OpenGroupInfo(s, s.WelcomeSecret(mls.JoinerSecret{Bytes: gs.JoinerSecret}, must(s.PSKSecret(psks)))))
	}
	t.Fatal("the Welcome is for others")
	return nil
}

func process(t testing.TB, m *group.Group, message []byte) *group.Received {
	t.Helper()
	var msg mls.Message
	mustDo(mls.Unmarshal(message, &msg))
	r, err := m.Process(&msg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// agree compares a server's view of a group with a member's.
func agree(t testing.TB, g *publicgroup.Group, m *group.Group) {
	t.Helper()
	ctx := m.Context()
	h := g.Header()
	if !bytes.Equal(must(mls.Marshal(&ctx)), must(mls.Marshal(&h.Context))) {
		t.Fatal("server and member disagree on the GroupContext")
	}
	if !bytes.Equal(h.InterimTranscriptHash, m.InterimTranscriptHash()) {
		t.Fatal("server and member disagree on the transcript")
	}
}
