package mls_test

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"testing"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
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

func (h hexBytes) secret() secret.Bytes { return secret.Clone(h) }

func loadVectors[T any](t testing.TB, name string) []T {
	t.Helper()
	f, err := os.Open("testdata/" + name + ".json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	var out []T
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	if len(out) == 0 {
		t.Fatalf("%s holds no cases", name)
	}
	return out
}

// TestVectors runs the working group's test vectors, one subtest for each file.
func TestVectors(t *testing.T) {
	for name, f := range map[string]func(*testing.T){
		"crypto-basics":                  vectorsCryptoBasics,
		"deserialization":                vectorsDeserialization,
		"interop-passive-external_join":  vectorsPassiveExternalJoin,
		"key-schedule":                   vectorsKeySchedule,
		"message-protection":             vectorsMessageProtection,
		"messages":                       vectorsMessages,
		"passive-client-handling-commit": vectorsPassiveHandlingCommit,
		"passive-client-random":          vectorsPassiveRandom,
		"passive-client-welcome":         vectorsPassiveWelcome,
		"psk_secret":                     vectorsPSKSecret,
		"secret-tree":                    vectorsSecretTree,
		"transcript-hashes":              vectorsTranscriptHashes,
		"tree-math":                      vectorsTreeMath,
		"tree-operations":                vectorsTreeOperations,
		"tree-validation":                vectorsTreeValidation,
		"treekem":                        vectorsTreeKEM,
		"welcome":                        vectorsWelcome,
	} {
		t.Run(name, f)
	}
}

func mustSuite(t testing.TB, c mls.CipherSuite) *mls.Suite {
	t.Helper()
	s, err := c.Suite()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func wantBytes(t testing.TB, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got %x, want %x", what, got, want)
	}
}

func vectorsCryptoBasics(t *testing.T) {
	type labelled struct {
		Secret, Context, Out, Value hexBytes
		Label                       string
		Length                      int
		Generation                  uint32
	}
	for _, v := range loadVectors[struct {
		CipherSuite      mls.CipherSuite `json:"cipher_suite"`
		RefHash          labelled        `json:"ref_hash"`
		ExpandWithLabel  labelled        `json:"expand_with_label"`
		DeriveSecret     labelled        `json:"derive_secret"`
		DeriveTreeSecret labelled        `json:"derive_tree_secret"`
		SignWithLabel    struct {
			Priv, Pub, Content, Signature hexBytes
			Label                         string
		} `json:"sign_with_label"`
		EncryptWithLabel struct {
			Priv, Pub, Context, Plaintext, Ciphertext hexBytes
			KEMOutput                                 hexBytes `json:"kem_output"`
			Label                                     string
		} `json:"encrypt_with_label"`
	}](t, "crypto-basics") {
		s := mustSuite(t, v.CipherSuite)
		wantBytes(t, "RefHash", s.RefHash(v.RefHash.Label, v.RefHash.Value), v.RefHash.Out)
		e := v.ExpandWithLabel
		wantBytes(t, "ExpandWithLabel", s.ExpandWithLabel(e.Secret.secret(), e.Label, e.Context, e.Length).Reveal(), e.Out)
		d := v.DeriveSecret
		wantBytes(t, "DeriveSecret", s.DeriveSecret(d.Secret.secret(), d.Label).Reveal(), d.Out)
		d = v.DeriveTreeSecret
		wantBytes(t, "DeriveTreeSecret", s.DeriveTreeSecret(d.Secret.secret(), d.Label, d.Generation, d.Length).Reveal(), d.Out)

		sw := v.SignWithLabel
		if err := s.VerifyWithLabel(sw.Pub, sw.Label, sw.Content, sw.Signature); err != nil {
			t.Errorf("suite %v: published signature: %v", v.CipherSuite, err)
		}
		key, err := s.ParseSignatureKey(sw.Priv.secret())
		if err != nil {
			t.Fatal(err)
		}
		wantBytes(t, "public signature key", key.Public(), sw.Pub)
		sig, err := key.SignWithLabel(sw.Label, sw.Content)
		if err != nil || s.VerifyWithLabel(sw.Pub, sw.Label, sw.Content, sig) != nil {
			t.Errorf("suite %v: own signature does not verify: %v", v.CipherSuite, err)
		}
		if s.VerifyWithLabel(sw.Pub, sw.Label+"x", sw.Content, sig) == nil {
			t.Errorf("suite %v: signature verifies under another label", v.CipherSuite)
		}

		ew := v.EncryptWithLabel
		priv := mls.HPKEPrivateKey{Bytes: ew.Priv.secret()}
		pt, err := s.DecryptWithLabel(priv, ew.Label, ew.Context, mls.HPKECiphertext{KEMOutput: ew.KEMOutput, Ciphertext: ew.Ciphertext})
		if err != nil {
			t.Errorf("suite %v: %v", v.CipherSuite, err)
		}
		wantBytes(t, "DecryptWithLabel", pt, ew.Plaintext)
		ct, err := s.EncryptWithLabel(ew.Pub, ew.Label, ew.Context, ew.Plaintext)
		if err != nil {
			t.Fatal(err)
		}
		pt, err = s.DecryptWithLabel(priv, ew.Label, ew.Context, ct)
		if err != nil {
			t.Errorf("suite %v: own ciphertext: %v", v.CipherSuite, err)
		}
		wantBytes(t, "own ciphertext", pt, ew.Plaintext)
	}
}

func vectorsDeserialization(t *testing.T) {
	for _, v := range loadVectors[struct {
		Header hexBytes `json:"vlbytes_header"`
		Length int
	}](t, "deserialization") {
		// An extension's content is a vector<V>: the header is read through it.
		data := append(append([]byte{0, 1}, v.Header...), make([]byte, min(v.Length, 1<<20))...)
		if v.Length > 1<<20 {
			var e mls.Extension
			if err := mls.Unmarshal(data, &e); err == nil {
				t.Errorf("%x: accepted with %d octets of %d", v.Header, 1<<20, v.Length)
			}
			continue
		}
		var e mls.Extension
		if err := mls.Unmarshal(data, &e); err != nil || len(e.Data) != v.Length {
			t.Errorf("%x: %d octets, %v; want %d", v.Header, len(e.Data), err, v.Length)
		}
	}
}

func vectorsKeySchedule(t *testing.T) {
	for _, v := range loadVectors[struct {
		CipherSuite       mls.CipherSuite `json:"cipher_suite"`
		GroupID           hexBytes        `json:"group_id"`
		InitialInitSecret hexBytes        `json:"initial_init_secret"`
		Epochs            []struct {
			TreeHash                hexBytes `json:"tree_hash"`
			CommitSecret            hexBytes `json:"commit_secret"`
			PSKSecret               hexBytes `json:"psk_secret"`
			ConfirmedTranscriptHash hexBytes `json:"confirmed_transcript_hash"`
			GroupContext            hexBytes `json:"group_context"`
			JoinerSecret            hexBytes `json:"joiner_secret"`
			WelcomeSecret           hexBytes `json:"welcome_secret"`
			InitSecret              hexBytes `json:"init_secret"`
			SenderDataSecret        hexBytes `json:"sender_data_secret"`
			EncryptionSecret        hexBytes `json:"encryption_secret"`
			ExporterSecret          hexBytes `json:"exporter_secret"`
			EpochAuthenticator      hexBytes `json:"epoch_authenticator"`
			ExternalSecret          hexBytes `json:"external_secret"`
			ConfirmationKey         hexBytes `json:"confirmation_key"`
			MembershipKey           hexBytes `json:"membership_key"`
			ResumptionPSK           hexBytes `json:"resumption_psk"`
			ExternalPub             hexBytes `json:"external_pub"`
			Exporter                struct {
				Label           string
				Context, Secret hexBytes
				Length          int
			}
		}
	}](t, "key-schedule") {
		s := mustSuite(t, v.CipherSuite)
		init := mls.InitSecret{Bytes: v.InitialInitSecret.secret()}
		for i, e := range v.Epochs {
			ctx, err := mls.Marshal(&mls.GroupContext{Version: mls.MLS10, CipherSuite: v.CipherSuite, GroupID: v.GroupID,
				Epoch: uint64(i), TreeHash: e.TreeHash, ConfirmedTranscriptHash: e.ConfirmedTranscriptHash})
			if err != nil {
				t.Fatal(err)
			}
			wantBytes(t, "group_context", ctx, e.GroupContext)
			j := s.NewJoinerSecret(init, e.CommitSecret.secret(), ctx)
			wantBytes(t, "joiner_secret", j.Reveal(), e.JoinerSecret)
			wantBytes(t, "welcome_secret", s.WelcomeSecret(j, e.PSKSecret.secret()).Reveal(), e.WelcomeSecret)
			k := s.NewEpochSecrets(j, e.PSKSecret.secret(), ctx)
			wantBytes(t, "init_secret", k.Init.Reveal(), e.InitSecret)
			wantBytes(t, "sender_data_secret", k.SenderData.Reveal(), e.SenderDataSecret)
			wantBytes(t, "encryption_secret", k.Encryption.Reveal(), e.EncryptionSecret)
			wantBytes(t, "exporter_secret", k.Exporter.Reveal(), e.ExporterSecret)
			wantBytes(t, "epoch_authenticator", k.EpochAuthenticator.Reveal(), e.EpochAuthenticator)
			wantBytes(t, "external_secret", k.External.Reveal(), e.ExternalSecret)
			wantBytes(t, "confirmation_key", k.Confirmation.Reveal(), e.ConfirmationKey)
			wantBytes(t, "membership_key", k.Membership.Reveal(), e.MembershipKey)
			wantBytes(t, "resumption_psk", k.Resumption.Reveal(), e.ResumptionPSK)
			_, pub, err := s.ExternalKeyPair(k)
			if err != nil {
				t.Fatal(err)
			}
			wantBytes(t, "external_pub", pub, e.ExternalPub)
			x, err := s.Export(k.Exporter, e.Exporter.Label, e.Exporter.Context, e.Exporter.Length)
			if err != nil {
				t.Fatal(err)
			}
			wantBytes(t, "exporter", x.Reveal(), e.Exporter.Secret)
			init = k.Init
		}
	}
}

func vectorsPSKSecret(t *testing.T) {
	for _, v := range loadVectors[struct {
		CipherSuite mls.CipherSuite `json:"cipher_suite"`
		PSKs        []struct {
			ID    hexBytes `json:"psk_id"`
			PSK   hexBytes
			Nonce hexBytes `json:"psk_nonce"`
		}
		PSKSecret hexBytes `json:"psk_secret"`
	}](t, "psk_secret") {
		var psks []mls.PSK
		for _, p := range v.PSKs {
			psks = append(psks, mls.PSK{ID: mls.PreSharedKeyID{Type: mls.PSKTypeExternal, ID: p.ID, Nonce: p.Nonce}, Key: p.PSK.secret()})
		}
		got, err := mustSuite(t, v.CipherSuite).PSKSecret(psks)
		if err != nil {
			t.Fatal(err)
		}
		wantBytes(t, "psk_secret", got.Reveal(), v.PSKSecret)
	}
}

func vectorsTranscriptHashes(t *testing.T) {
	for _, v := range loadVectors[struct {
		CipherSuite     mls.CipherSuite `json:"cipher_suite"`
		ConfirmationKey hexBytes        `json:"confirmation_key"`
		Content         hexBytes        `json:"authenticated_content"`
		InterimBefore   hexBytes        `json:"interim_transcript_hash_before"`
		ConfirmedAfter  hexBytes        `json:"confirmed_transcript_hash_after"`
		InterimAfter    hexBytes        `json:"interim_transcript_hash_after"`
	}](t, "transcript-hashes") {
		s := mustSuite(t, v.CipherSuite)
		var a mls.AuthenticatedContent
		if err := mls.Unmarshal(v.Content, &a); err != nil {
			t.Fatal(err)
		}
		confirmed, err := s.ConfirmedTranscriptHash(v.InterimBefore, &a)
		if err != nil {
			t.Fatal(err)
		}
		wantBytes(t, "confirmed", confirmed, v.ConfirmedAfter)
		wantBytes(t, "interim", s.InterimTranscriptHash(confirmed, a.ConfirmationTag), v.InterimAfter)
		keys := &mls.EpochSecrets{Confirmation: v.ConfirmationKey.secret()}
		if err := s.VerifyConfirmationTag(keys, confirmed, a.ConfirmationTag); err != nil {
			t.Error(err)
		}
		confirmed[0] ^= 1
		if err := s.VerifyConfirmationTag(keys, confirmed, a.ConfirmationTag); err == nil {
			t.Error("tag verifies for another transcript")
		}
	}
}

func vectorsTreeMath(t *testing.T) {
	for _, v := range loadVectors[struct {
		NLeaves                      uint32 `json:"n_leaves"`
		NNodes                       uint32 `json:"n_nodes"`
		Root                         mls.NodeIndex
		Left, Right, Parent, Sibling []*mls.NodeIndex
	}](t, "tree-math") {
		if mls.Root(v.NLeaves) != v.Root || v.NNodes != 2*v.NLeaves-1 {
			t.Errorf("%d leaves: root %d, want %d", v.NLeaves, mls.Root(v.NLeaves), v.Root)
		}
		for i := range v.NNodes {
			x := mls.NodeIndex(i)
			if x.IsLeaf() != (v.Left[i] == nil) || (!x.IsLeaf() && (x.Left() != *v.Left[i] || x.Right() != *v.Right[i])) {
				t.Errorf("%d leaves: children of %d are wrong", v.NLeaves, x)
			}
			if (x == v.Root) != (v.Parent[i] == nil) || (x != v.Root && (x.Parent() != *v.Parent[i] || x.Sibling() != *v.Sibling[i])) {
				t.Errorf("%d leaves: parent or sibling of %d is wrong", v.NLeaves, x)
			}
		}
	}
}
