package mls_test

import (
	"bytes"
	"crypto/rand"
	"testing"

	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
)

// structure is a wire structure that can be decoded and encoded again.
type structure interface {
	mls.Marshaler
	mls.Unmarshaler
}

// typedProposal is the content of a Proposal without its type, which is how the
// vectors give it.
type typedProposal struct {
	typ mls.ProposalType
	mls.Proposal
}

func (p *typedProposal) UnmarshalTLS(r *tlscodec.Reader) {
	whole := append([]byte{byte(p.typ >> 8), byte(p.typ)}, r.Rest()...)
	if err := mls.Unmarshal(whole, &p.Proposal); err != nil {
		r.Fail(err)
	}
}

func (p *typedProposal) MarshalTLS(w *tlscodec.Writer) {
	b, err := mls.Marshal(&p.Proposal)
	if err != nil {
		w.Fail(err)
		return
	}
	w.Raw(b[2:])
}

// messageFields are the fields of a case of messages.json with what they hold.
var messageFields = map[string]func() structure{
	"mls_welcome":                       func() structure { return new(mls.Message) },
	"mls_group_info":                    func() structure { return new(mls.Message) },
	"mls_key_package":                   func() structure { return new(mls.Message) },
	"ratchet_tree":                      func() structure { return new(mls.RatchetTree) },
	"group_secrets":                     func() structure { return new(mls.GroupSecrets) },
	"add_proposal":                      func() structure { return &typedProposal{typ: mls.ProposalTypeAdd} },
	"update_proposal":                   func() structure { return &typedProposal{typ: mls.ProposalTypeUpdate} },
	"remove_proposal":                   func() structure { return &typedProposal{typ: mls.ProposalTypeRemove} },
	"pre_shared_key_proposal":           func() structure { return &typedProposal{typ: mls.ProposalTypePSK} },
	"re_init_proposal":                  func() structure { return &typedProposal{typ: mls.ProposalTypeReInit} },
	"external_init_proposal":            func() structure { return &typedProposal{typ: mls.ProposalTypeExternalInit} },
	"group_context_extensions_proposal": func() structure { return &typedProposal{typ: mls.ProposalTypeGroupContextExtensions} },
	"commit":                            func() structure { return new(mls.Commit) },
	"public_message_application":        func() structure { return new(mls.Message) },
	"public_message_proposal":           func() structure { return new(mls.Message) },
	"public_message_commit":             func() structure { return new(mls.Message) },
	"private_message":                   func() structure { return new(mls.Message) },
}

func vectorsMessages(t *testing.T) {
	for i, v := range loadVectors[map[string]hexBytes](t, "messages") {
		if len(v) != len(messageFields) {
			t.Fatalf("case %d has %d fields, %d are known", i, len(v), len(messageFields))
		}
		for name, data := range v {
			s := messageFields[name]()
			if err := mls.Unmarshal(data, s); err != nil {
				t.Errorf("case %d: %s: %v", i, name, err)
				continue
			}
			out, err := mls.Marshal(s)
			if err != nil || !bytes.Equal(out, data) {
				t.Errorf("case %d: %s does not survive a round trip: %v", i, name, err)
			}
		}
	}
}

func vectorsMessageProtection(t *testing.T) {
	for _, v := range loadVectors[struct {
		CipherSuite             mls.CipherSuite `json:"cipher_suite"`
		GroupID                 hexBytes        `json:"group_id"`
		Epoch                   uint64
		TreeHash                hexBytes `json:"tree_hash"`
		ConfirmedTranscriptHash hexBytes `json:"confirmed_transcript_hash"`
		SignaturePriv           hexBytes `json:"signature_priv"`
		SignaturePub            hexBytes `json:"signature_pub"`
		EncryptionSecret        hexBytes `json:"encryption_secret"`
		SenderDataSecret        hexBytes `json:"sender_data_secret"`
		MembershipKey           hexBytes `json:"membership_key"`
		Proposal                hexBytes
		ProposalPub             hexBytes `json:"proposal_pub"`
		ProposalPriv            hexBytes `json:"proposal_priv"`
		Commit                  hexBytes
		CommitPub               hexBytes `json:"commit_pub"`
		CommitPriv              hexBytes `json:"commit_priv"`
		Application             hexBytes
		ApplicationPriv         hexBytes `json:"application_priv"`
	}](t, "message-protection") {
		s := mustSuite(t, v.CipherSuite)
		ctx, err := mls.Marshal(&mls.GroupContext{Version: mls.MLS10, CipherSuite: v.CipherSuite, GroupID: v.GroupID, Epoch: v.Epoch,
			TreeHash: v.TreeHash, ConfirmedTranscriptHash: v.ConfirmedTranscriptHash})
		if err != nil {
			t.Fatal(err)
		}
		key, err := s.ParseSignatureKey(v.SignaturePriv.secret())
		if err != nil {
			t.Fatal(err)
		}
		content := func(a *mls.AuthenticatedContent) []byte {
			switch a.Content.ContentType {
			case mls.ContentTypeProposal:
				b, _ := mls.Marshal(a.Content.Proposal)
				return b
			case mls.ContentTypeCommit:
				b, _ := mls.Marshal(a.Content.Commit)
				return b
			}
			return a.Content.ApplicationData
		}
		unprotect := func(what string, data, want []byte) *mls.AuthenticatedContent {
			var m mls.Message
			if err := mls.Unmarshal(data, &m); err != nil {
				t.Fatalf("suite %v: %s: %v", v.CipherSuite, what, err)
			}
			var a *mls.AuthenticatedContent
			if m.PublicMessage != nil {
				a = m.PublicMessage.Authenticated()
				if err := m.PublicMessage.VerifyMembershipTag(s, v.MembershipKey.secret(), ctx); err != nil {
					t.Errorf("suite %v: %s: %v", v.CipherSuite, what, err)
				}
			} else {
				keys := s.NewSecretTree(v.EncryptionSecret.secret(), 2, mls.Window{})
				sd, err := m.PrivateMessage.OpenSenderData(s, v.SenderDataSecret.secret())
				if err != nil {
					t.Fatalf("suite %v: %s: %v", v.CipherSuite, what, err)
				}
				if a, _, err = m.PrivateMessage.Open(s, keys, sd); err != nil {
					t.Fatalf("suite %v: %s: %v", v.CipherSuite, what, err)
				}
			}
			if err := a.VerifySignature(s, v.SignaturePub, ctx); err != nil {
				t.Errorf("suite %v: %s: %v", v.CipherSuite, what, err)
			}
			wantBytes(t, what, content(a), want)
			return a
		}
		// reprotect sends what was received once more and reads it again.
		reprotect := func(what string, a *mls.AuthenticatedContent, wf mls.WireFormat, want []byte) {
			a.WireFormat = wf
			if err := a.Sign(key, ctx); err != nil {
				t.Fatal(err)
			}
			m := &mls.Message{WireFormat: wf}
			if wf == mls.WireFormatPublicMessage {
				m.PublicMessage, err = mls.NewPublicMessage(s, a, v.MembershipKey.secret(), ctx)
			} else {
				keys := s.NewSecretTree(v.EncryptionSecret.secret(), 2, mls.Window{})
				m.PrivateMessage, err = mls.SealPrivateMessage(s, a, keys, v.SenderDataSecret.secret(), 64, rand.Reader)
			}
			if err != nil {
				t.Fatal(err)
			}
			data, err := mls.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			unprotect(what+" again", data, want)
		}
		for _, tc := range []struct {
			name            string
			pub, priv, want []byte
		}{
			{"proposal", v.ProposalPub, v.ProposalPriv, v.Proposal},
			{"commit", v.CommitPub, v.CommitPriv, v.Commit},
			{"application", nil, v.ApplicationPriv, v.Application},
		} {
			if tc.pub != nil {
				reprotect(tc.name, unprotect(tc.name+"_pub", tc.pub, tc.want), mls.WireFormatPublicMessage, tc.want)
			}
			reprotect(tc.name, unprotect(tc.name+"_priv", tc.priv, tc.want), mls.WireFormatPrivateMessage, tc.want)
		}
	}
}

func vectorsSecretTree(t *testing.T) {
	for _, v := range loadVectors[struct {
		CipherSuite mls.CipherSuite `json:"cipher_suite"`
		Encryption  hexBytes        `json:"encryption_secret"`
		SenderData  struct {
			Secret     hexBytes `json:"sender_data_secret"`
			Ciphertext hexBytes
			Key, Nonce hexBytes
		} `json:"sender_data"`
		Leaves [][]struct {
			Generation       uint32
			HandshakeKey     hexBytes `json:"handshake_key"`
			HandshakeNonce   hexBytes `json:"handshake_nonce"`
			ApplicationKey   hexBytes `json:"application_key"`
			ApplicationNonce hexBytes `json:"application_nonce"`
		}
	}](t, "secret-tree") {
		s := mustSuite(t, v.CipherSuite)
		key, nonce := mls.SenderDataKeyNonce(s, v.SenderData.Secret.secret(), v.SenderData.Ciphertext)
		wantBytes(t, "sender data key", key, v.SenderData.Key)
		wantBytes(t, "sender data nonce", nonce, v.SenderData.Nonce)
		tree := s.NewSecretTree(v.Encryption.secret(), uint32(len(v.Leaves)), mls.Window{})
		for leaf, generations := range v.Leaves {
			for _, g := range generations {
				k, err := tree.Lookup(mls.LeafIndex(leaf), mls.ContentTypeCommit, g.Generation)
				if err != nil {
					t.Fatal(err)
				}
				wantBytes(t, "handshake key", k.Key.Reveal(), g.HandshakeKey)
				wantBytes(t, "handshake nonce", k.Nonce.Reveal(), g.HandshakeNonce)
				tree.Consume(k)
				if k, err = tree.Lookup(mls.LeafIndex(leaf), mls.ContentTypeApplication, g.Generation); err != nil {
					t.Fatal(err)
				}
				wantBytes(t, "application key", k.Key.Reveal(), g.ApplicationKey)
				wantBytes(t, "application nonce", k.Nonce.Reveal(), g.ApplicationNonce)
			}
		}
	}
}

func vectorsWelcome(t *testing.T) {
	for _, v := range loadVectors[struct {
		CipherSuite mls.CipherSuite `json:"cipher_suite"`
		InitPriv    hexBytes        `json:"init_priv"`
		SignerPub   hexBytes        `json:"signer_pub"`
		KeyPackage  hexBytes        `json:"key_package"`
		Welcome     hexBytes
	}](t, "welcome") {
		s := mustSuite(t, v.CipherSuite)
		var kp, w mls.Message
		if err := mls.Unmarshal(v.KeyPackage, &kp); err != nil {
			t.Fatal(err)
		}
		if err := mls.Unmarshal(v.Welcome, &w); err != nil {
			t.Fatal(err)
		}
		ref, err := kp.KeyPackage.Ref(s)
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for i := range w.Welcome.Secrets {
			e := &w.Welcome.Secrets[i]
			if !bytes.Equal(e.NewMember, ref) {
				continue
			}
			found = true
			gs, err := w.Welcome.OpenGroupSecrets(s, mls.HPKEPrivateKey{Bytes: v.InitPriv.secret()}, e)
			if err != nil {
				t.Fatal(err)
			}
			psk, err := s.PSKSecret(nil)
			if err != nil {
				t.Fatal(err)
			}
			j := mls.JoinerSecret{Bytes: gs.JoinerSecret}
			gi, err := w.Welcome.OpenGroupInfo(s, s.WelcomeSecret(j, psk))
			if err != nil {
				t.Fatal(err)
			}
			if err := gi.VerifySignature(s, v.SignerPub); err != nil {
				t.Error(err)
			}
			ctx, err := mls.Marshal(&gi.GroupContext)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.VerifyConfirmationTag(s.NewEpochSecrets(j, psk, ctx), gi.GroupContext.ConfirmedTranscriptHash, gi.ConfirmationTag); err != nil {
				t.Error(err)
			}
		}
		if !found {
			t.Error("no entry for the KeyPackage")
		}
	}
}
