package group_test

import (
	"bytes"
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/mls/tree"
)

// invitation is a Welcome taken apart.
type invitation struct {
	secrets *mls.GroupSecrets
	info    *mls.GroupInfo
}

// reseal opens a Welcome with the newcomer's own keys, lets change at its parts,
// signs the GroupInfo as signer, and seals it again.
func reseal(t *testing.T, p *person, w *mls.Welcome, signer *person, change func(*invitation)) *mls.Welcome {
	t.Helper()
	s := mustSuite(t, suite)
	own, err := p.store.KeyPackage(w.Secrets[0].NewMember)
	if err != nil || own == nil {
		t.Fatalf("no KeyPackage: %v", err)
	}
	i := new(invitation)
	if i.secrets, err = w.OpenGroupSecrets(s, own.InitKey, &w.Secrets[0]); err != nil {
		t.Fatal(err)
	}
	welcomeSecret := s.WelcomeSecret(mls.JoinerSecret{Bytes: i.secrets.JoinerSecret}, s.ZeroSecret())
	if i.info, err = w.OpenGroupInfo(s, welcomeSecret); err != nil {
		t.Fatal(err)
	}
	change(i)
	if err := i.info.Sign(signer.client.Signer); err != nil {
		t.Fatal(err)
	}
	out := &mls.Welcome{CipherSuite: w.CipherSuite, Secrets: make([]mls.EncryptedGroupSecrets, 1)}
	out.Secrets[0].NewMember = w.Secrets[0].NewMember
	if out.EncryptedGroupInfo, err = mls.SealGroupInfo(s, welcomeSecret, i.info); err != nil {
		t.Fatal(err)
	}
	if out.Secrets[0].EncryptedGroupSecrets, err = i.secrets.Seal(s, own.Public.InitKey, out.EncryptedGroupInfo); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestWelcomeIsChecked(t *testing.T) {
	all := people(t, suite, 3)
	alice := all[0]
	dave := newPerson(t, suite, "dave")
	o := values(group.Add(dave.keyPackage()))
	o.ForcePath, o.Welcome.Tree = true, true
	made := alice.commits(o, all[1:]...)
	valid := func() *mls.Welcome { return over(t, made.Welcome).Welcome }
	changed := func(change func(*invitation)) *mls.Welcome { return reseal(t, dave, valid(), alice, change) }
	nodes, err := alice.Tree()
	if err != nil {
		t.Fatal(err)
	}
	setTree := func(i *invitation, nodes mls.RatchetTree) {
		if i.info.Extensions, err = i.info.Extensions.With(mls.ExtensionTypeRatchetTree, &nodes); err != nil {
			t.Fatal(err)
		}
	}
	stranger := newPerson(t, suite, "stranger")
	_, err = group.JoinWelcome(stranger.cfg, valid(), group.JoinOptions{})
	wants(t, err, group.ErrNotForUs)
	_, err = group.JoinWelcome(group.Config{}, valid(), group.JoinOptions{})
	wants(t, err, group.ErrNoStore)

	for name, tc := range map[string]struct {
		w    *mls.Welcome
		want error
	}{
		"unknown suite": {func() *mls.Welcome { w := valid(); w.CipherSuite = 0xffff; return w }(), group.ErrParameters},
		"other suite":   {func() *mls.Welcome { w := valid(); w.CipherSuite = mls.X25519ChaCha20Poly1305; return w }(), group.ErrParameters},
		"group secrets": {func() *mls.Welcome {
			w := valid()
			w.Secrets[0].EncryptedGroupSecrets.Ciphertext = flip(w.Secrets[0].EncryptedGroupSecrets.Ciphertext)
			return w
		}(), mls.ErrDecrypt},
		"encrypted GroupInfo": {func() *mls.Welcome { w := valid(); w.EncryptedGroupInfo = flip(w.EncryptedGroupInfo); return w }(), mls.ErrDecrypt},
		"other joiner secret": {changed(func(i *invitation) { i.secrets.JoinerSecret = secretOf(string(make([]byte, 32))) }), mls.ErrDecrypt},
		"short joiner secret": {changed(func(i *invitation) { i.secrets.JoinerSecret = secretOf("short") }), group.ErrGroupSecrets},
		"short path secret":   {changed(func(i *invitation) { i.secrets.PathSecret = secretOf("short") }), group.ErrGroupSecrets},
		"path secret":         {changed(func(i *invitation) { i.secrets.PathSecret = secretOf(string(make([]byte, 32))) }), tree.ErrPathSecret},
		"unknown psk": {changed(func(i *invitation) {
			i.secrets.PSKs = []mls.PreSharedKeyID{{Type: mls.PSKTypeExternal, ID: []byte("?"), Nonce: make([]byte, 32)}}
		}), group.ErrPSK},
		"psk nonce": {changed(func(i *invitation) {
			i.secrets.PSKs = []mls.PreSharedKeyID{{Type: mls.PSKTypeExternal, ID: []byte("?")}}
		}), group.ErrGroupSecrets},
		"psk of no group": {changed(func(i *invitation) {
			i.secrets.PSKs = []mls.PreSharedKeyID{{Type: mls.PSKTypeResumption, Usage: mls.ResumptionPSKUsageReInit, Nonce: make([]byte, 32)}}
		}), group.ErrPredecessor},
		"no tree": {changed(func(i *invitation) { i.info.Extensions = nil }), group.ErrNoTree},
		"malformed tree": {changed(func(i *invitation) {
			i.info.Extensions = mls.Extensions{{Type: mls.ExtensionTypeRatchetTree, Data: []byte{1}}}
		}), mls.ErrExtension},
		"unknown signer":   {changed(func(i *invitation) { i.info.Signer = 9 }), group.ErrSigner},
		"own signature":    {changed(func(i *invitation) { i.info.Signer = 3 }), mls.ErrSignature},
		"other's name":     {reseal(t, dave, valid(), all[1], func(*invitation) {}), mls.ErrSignature},
		"tree hash":        {changed(func(i *invitation) { i.info.GroupContext.TreeHash = make([]byte, 32) }), group.ErrTreeHash},
		"version":          {changed(func(i *invitation) { i.info.GroupContext.Version = 2 }), group.ErrParameters},
		"suite inside":     {changed(func(i *invitation) { i.info.GroupContext.CipherSuite = mls.X25519ChaCha20Poly1305 }), group.ErrParameters},
		"epoch":            {changed(func(i *invitation) { i.info.GroupContext.Epoch++ }), mls.ErrConfirmationTag},
		"group":            {changed(func(i *invitation) { i.info.GroupContext.GroupID = []byte("other") }), mls.ErrSignature},
		"transcript":       {changed(func(i *invitation) { i.info.GroupContext.ConfirmedTranscriptHash = make([]byte, 32) }), mls.ErrConfirmationTag},
		"confirmation tag": {changed(func(i *invitation) { i.info.ConfirmationTag = flip(i.info.ConfirmationTag) }), mls.ErrConfirmationTag},
		"extension of the group": {changed(func(i *invitation) {
			i.info.GroupContext.Extensions = mls.Extensions{{Type: 0xf0f0}}
		}), epoch.ErrUnsupportedExtension},
		"misplaced extension": {changed(func(i *invitation) {
			i.info.GroupContext.Extensions = mls.Extensions{{Type: mls.ExtensionTypeExternalPub}}
		}), epoch.ErrGroupExtension},
		"requirement": {changed(func(i *invitation) {
			i.info.GroupContext.Extensions = requiring(t, mls.RequiredCapabilities{Proposals: []mls.ProposalType{0xf0f0}})
		}), epoch.ErrRequiredProposal},
		"extension twice": {changed(func(i *invitation) {
			i.info.Extensions = append(i.info.Extensions, mls.Extension{Type: 0xf0f0}, mls.Extension{Type: 0xf0f0})
		}), mls.ErrExtension},
		"leaf signature": {changed(func(i *invitation) {
			bad := append(mls.RatchetTree(nil), nodes...)
			l := bad[0].Leaf.Clone()
			l.Signature = flip(l.Signature)
			bad[0].Leaf = l
			setTree(i, bad)
		}), mls.ErrSignature},
		"parent key": {changed(func(i *invitation) {
			bad := append(mls.RatchetTree(nil), nodes...)
			n := *bad[3].Parent
			n.EncryptionKey = flip(n.EncryptionKey)
			bad[3].Parent = &n
			setTree(i, bad)
		}), tree.ErrParentHash},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := group.JoinWelcome(dave.cfg, tc.w, group.JoinOptions{})
			wants(t, err, tc.want)
		})
	}

	// None of that has used the KeyPackage up, and the valid Welcome does.
	if dave.Group, err = group.JoinWelcome(dave.cfg, valid(), group.JoinOptions{}); err != nil {
		t.Fatal(err)
	}
	agree(t, alice, dave)
	_, err = group.JoinWelcome(dave.cfg, valid(), group.JoinOptions{})
	wants(t, err, group.ErrNotForUs)
}

// A newcomer whose KeyPackage is not what the tree holds has no place in it.
func TestWelcomeWithoutOwnLeaf(t *testing.T) {
	alice, dave := newPerson(t, suite, "alice"), newPerson(t, suite, "dave")
	alice.create(nil)
	first, second := dave.keyPackage(), dave.keyPackage()
	o := values(group.Add(first))
	o.Welcome.Tree = true
	made := alice.commits(o)
	s := mustSuite(t, suite)
	ref, err := second.Ref(s)
	if err != nil {
		t.Fatal(err)
	}
	w := reseal(t, dave, over(t, made.Welcome).Welcome, alice, func(*invitation) {})
	own, err := dave.store.KeyPackage(w.Secrets[0].NewMember)
	if err != nil {
		t.Fatal(err)
	}
	gs, err := w.OpenGroupSecrets(s, own.InitKey, &w.Secrets[0])
	if err != nil {
		t.Fatal(err)
	}
	w.Secrets[0].NewMember = ref
	if w.Secrets[0].EncryptedGroupSecrets, err = gs.Seal(s, second.InitKey, w.EncryptedGroupInfo); err != nil {
		t.Fatal(err)
	}
	_, err = group.JoinWelcome(dave.cfg, w, group.JoinOptions{})
	wants(t, err, group.ErrNotInTree)
}

func TestLastResortIsKept(t *testing.T) {
	dave := newPerson(t, suite, "dave")
	k, err := group.NewKeyPackage(dave.cfg, dave.client, group.KeyPackageOptions{LastResort: true})
	if err != nil || !k.LastResort() {
		t.Fatalf("not of last resort: %v", err)
	}
	for _, name := range []string{"alice", "bob"} {
		p := newPerson(t, suite, name)
		p.create(nil)
		dave.joinFrom(p, p.commits(values(group.Add(k))))
		agree(t, p, dave)
	}
}

func TestKeyPackageSurvivesStorage(t *testing.T) {
	overSuites(t, func(t *testing.T, c mls.CipherSuite) {
		dave := newPerson(t, c, "dave")
		k := dave.keyPackage()
		ref, err := k.Ref(mustSuite(t, c))
		if err != nil {
			t.Fatal(err)
		}
		p, err := dave.store.KeyPackage(ref)
		if err != nil {
			t.Fatal(err)
		}
		b, err := p.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		back, err := group.ParseKeyPackage(b.Reveal())
		if err != nil || !back.InitKey.Equal(p.InitKey.Bytes) || !back.LeafKey.Equal(p.LeafKey.Bytes) || !bytes.Equal(back.Signer.Public(), p.Signer.Public()) {
			t.Errorf("another KeyPackage comes back: %v", err)
		}
		for i := range b.Reveal() {
			if _, err := group.ParseKeyPackage(b.Reveal()[:i]); !is(err, group.ErrState) {
				t.Fatalf("prefix of %d octets: %v", i, err)
			}
		}
		_, err = group.ParseKeyPackage(append(bytes.Clone(b.Reveal()), 0))
		wants(t, err, group.ErrState)
	})
}
