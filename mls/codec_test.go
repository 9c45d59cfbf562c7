package mls_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime"
	"testing"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
)

// sample is one encoding of a structure that somebody can be sent.
type sample struct {
	name string
	make func() structure
	data []byte
}

// samples are a structure of each kind: those of the vectors, then what the
// vectors do not have.
func samples(t testing.TB) []sample {
	t.Helper()
	var out []sample
	first := loadVectors[map[string]hexBytes](t, "messages")[1]
	for name, f := range messageFields {
		out = append(out, sample{name, f, first[name]})
	}
	for i, v := range loadVectors[struct {
		Content hexBytes `json:"authenticated_content"`
	}](t, "transcript-hashes") {
		out = append(out, sample{fmt.Sprint("authenticated_content ", i), func() structure { return new(mls.AuthenticatedContent) }, v.Content})
	}

	leaf := mls.LeafNode{
		EncryptionKey: []byte{1}, SignatureKey: []byte{2}, Source: mls.LeafNodeSourceCommit, ParentHash: []byte{3},
		Credential: mls.Credential{Type: 0x4A4A, Opaque: []byte("unknown credential")},
		Capabilities: mls.Capabilities{
			Versions: []mls.ProtocolVersion{mls.MLS10, 0x0A0A}, CipherSuites: []mls.CipherSuite{mls.X25519AES128GCM, 0x1A1A},
			Extensions: []mls.ExtensionType{0x2A2A}, Proposals: []mls.ProposalType{0x3A3A, 0xF123}, Credentials: []mls.CredentialType{0x4A4A},
		},
		Extensions: mls.Extensions{{Type: 0x5A5A, Data: []byte("unknown extension")}, {Type: 0xF000}}, Signature: []byte{4},
	}
	x509 := leaf
	x509.Credential = mls.Credential{Type: mls.CredentialTypeX509, Certificates: [][]byte{{5}, {6, 7}}}
	update := leaf
	update.Source, update.ParentHash = mls.LeafNodeSourceUpdate, nil
	for _, v := range []struct {
		name string
		s    structure
		make func() structure
	}{
		{"leaf node with unknown types", &leaf, func() structure { return new(mls.LeafNode) }},
		{"leaf node with certificates", &x509, func() structure { return new(mls.LeafNode) }},
		{"unknown proposal", &mls.Proposal{Type: 0xF0AA, Opaque: []byte("payload")}, func() structure { return new(mls.Proposal) }},
		{"self remove", &mls.Proposal{Type: mls.ProposalTypeSelfRemove}, func() structure { return new(mls.Proposal) }},
		{"app data update", &mls.Proposal{Type: mls.ProposalTypeAppDataUpdate, AppDataUpdate: &mls.AppDataUpdate{ID: 7, Operation: mls.AppDataUpdateSet, Update: []byte{1}}}, func() structure { return new(mls.Proposal) }},
		{"app data removal", &mls.Proposal{Type: mls.ProposalTypeAppDataUpdate, AppDataUpdate: &mls.AppDataUpdate{ID: 7, Operation: mls.AppDataUpdateRemove}}, func() structure { return new(mls.Proposal) }},
		{"app ephemeral", &mls.Proposal{Type: mls.ProposalTypeAppEphemeral, AppEphemeral: &mls.ComponentData{ID: 9, Data: []byte{2}}}, func() structure { return new(mls.Proposal) }},
		{"app data dictionary", &mls.AppDataDictionary{{ID: 1, Data: []byte{1}}, {ID: 5}}, func() structure { return new(mls.AppDataDictionary) }},
		{"safe aad", &mls.SafeAAD{{ID: 2, Data: []byte{1}}}, func() structure { return new(mls.SafeAAD) }},
		{"required capabilities", &mls.RequiredCapabilities{Extensions: []mls.ExtensionType{6}, Proposals: []mls.ProposalType{10}, Credentials: []mls.CredentialType{1}}, func() structure { return new(mls.RequiredCapabilities) }},
		{"external senders", &mls.ExternalSenders{{SignatureKey: []byte{1}, Credential: mls.BasicCredential([]byte("ds"))}}, func() structure { return new(mls.ExternalSenders) }},
		{"external pub", &mls.ExternalPub{Key: []byte{1, 2}}, func() structure { return new(mls.ExternalPub) }},
		{"partial group info", &mls.PartialGroupInfo{RatchetTree: mls.RatchetTreeAdded, Extensions: mls.Extensions{{Type: mls.ExtensionTypeExternalPub, Data: []byte{1}}}, Signature: []byte{9}}, func() structure { return new(mls.PartialGroupInfo) }},
		{"parent node", &mls.ParentNode{EncryptionKey: []byte{1}, ParentHash: []byte{2}, Unmerged: []mls.LeafIndex{1, 4}}, func() structure { return new(mls.ParentNode) }},
		{"resumption psk", &mls.PreSharedKeyID{Type: mls.PSKTypeResumption, Usage: mls.ResumptionPSKUsageBranch, GroupID: []byte{1}, Epoch: 1 << 40, Nonce: []byte{2}}, func() structure { return new(mls.PreSharedKeyID) }},
		{"update leaf", &update, func() structure { return new(mls.LeafNode) }},
		{"external sender proposal", &mls.Message{WireFormat: mls.WireFormatPublicMessage, PublicMessage: &mls.PublicMessage{Signature: []byte{1},
			Content: mls.FramedContent{GroupID: []byte("g"), Sender: mls.Sender{Type: mls.SenderTypeExternal, Index: 3}, ContentType: mls.ContentTypeProposal,
				Proposal: &mls.Proposal{Type: mls.ProposalTypeRemove, Remove: 5}}}}, func() structure { return new(mls.Message) }},
		{"secret tree", usedSecretTree(t), func() structure { return new(mls.SecretTree) }},
	} {
		data, err := mls.Marshal(v.s)
		if err != nil {
			t.Fatalf("%s: %v", v.name, err)
		}
		out = append(out, sample{v.name, v.make, data})
	}
	return out
}

func usedSecretTree(t testing.TB) *mls.SecretTree {
	s := mustSuite(t, mls.X25519AES128GCM)
	tree := s.NewSecretTree(s.ZeroSecret(), 8, mls.Window{})
	for _, generation := range []uint32{0, 3} {
		k, err := tree.Lookup(2, mls.ContentTypeApplication, generation)
		if err != nil {
			t.Fatal(err)
		}
		tree.Consume(k)
	}
	return tree
}

func TestRoundTrip(t *testing.T) {
	for _, s := range samples(t) {
		v := s.make()
		if err := mls.Unmarshal(s.data, v); err != nil {
			t.Errorf("%s: %v", s.name, err)
			continue
		}
		if out, err := mls.Marshal(v); err != nil || !bytes.Equal(out, s.data) {
			t.Errorf("%s: encodes as %x, %v; want %x", s.name, out, err, s.data)
		}
	}
}

func TestPrefixAndTrailingOctetRefused(t *testing.T) {
	for _, s := range samples(t) {
		for n := range s.data {
			if err := mls.Unmarshal(s.data[:n], s.make()); !errors.Is(err, mls.ErrMalformed) {
				t.Errorf("%s: prefix of %d of %d octets: %v", s.name, n, len(s.data), err)
			}
		}
		if err := mls.Unmarshal(append(bytes.Clone(s.data), 0), s.make()); !errors.Is(err, mls.ErrMalformed) {
			t.Errorf("%s: trailing octet: %v", s.name, err)
		}
	}
}

func TestMalformedValuesRefused(t *testing.T) {
	v := func(b ...byte) []byte { return b }
	for name, tc := range map[string]struct {
		into structure
		data []byte
	}{
		"version 2":                      {new(mls.Message), v(0, 2, 0, 3, 0, 1, 0, 0)},
		"wire format 0":                  {new(mls.Message), v(0, 1, 0, 0)},
		"wire format 6":                  {new(mls.Message), v(0, 1, 0, 6)},
		"sender type 5":                  {new(mls.Sender), v(5)},
		"PSK type 3":                     {new(mls.PreSharedKeyID), v(3, 0, 0)},
		"PSK usage 4":                    {new(mls.PreSharedKeyID), v(2, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)},
		"content type 4":                 {new(mls.PrivateMessage), v(0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0)},
		"proposal or reference 3":        {new(mls.ProposalOrRef), v(3, 0)},
		"optional path 2":                {new(mls.Commit), v(0, 2)},
		"app data operation 0":           {new(mls.AppDataUpdate), v(0, 1, 0)},
		"unsorted dictionary":            {new(mls.AppDataDictionary), v(6, 0, 2, 0, 0, 1, 0)},
		"dictionary with a repetition":   {new(mls.AppDataDictionary), v(6, 0, 2, 0, 0, 2, 0)},
		"unmerged leaves not ascending":  {new(mls.ParentNode), v(0, 0, 8, 0, 0, 0, 2, 0, 0, 0, 1)},
		"half an unmerged leaf":          {new(mls.ParentNode), v(0, 0, 2, 0, 0)},
		"half a capability":              {new(mls.RequiredCapabilities), v(1, 0, 0, 0)},
		"empty tree":                     {new(mls.RatchetTree), v(0)},
		"tree that ends in a blank":      {new(mls.RatchetTree), v(1, 0)},
		"parent at a leaf's place":       {new(mls.RatchetTree), v(5, 1, 2, 0, 0, 0)},
		"leaf source 4":                  {new(mls.LeafNode), v(0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 4, 0, 0)},
		"ciphertext shorter than a tag":  {new(mls.HPKECiphertext), v(1, 1, 1, 1)},
		"tree in a partial GroupInfo":    {new(mls.PartialGroupInfo), v(0, 3, 0, 2, 0, 0)},
		"ratchet tree presence 4":        {new(mls.PartialGroupInfo), v(4, 0, 0)},
		"1,025 types":                    {new(mls.RequiredCapabilities), append(append([]byte{0x48, 0x02}, make([]byte, 2050)...), 0, 0)},
		"1,025 extensions":               {new(mls.Extensions), append([]byte{0x4c, 0x03}, make([]byte, 3*1025)...)},
		"length header not of min. size": {new(mls.Extension), v(0, 1, 0x40, 1, 7)},
		"length header with prefix 11":   {new(mls.Extension), v(0, 1, 0xc0, 0, 0, 0, 0, 0, 0, 0)},
	} {
		if err := mls.Unmarshal(tc.data, tc.into); !errors.Is(err, mls.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUnionWithoutContentHasNoEncoding(t *testing.T) {
	for _, m := range []mls.Marshaler{
		&mls.Message{WireFormat: mls.WireFormatWelcome}, &mls.Message{},
		&mls.Proposal{Type: mls.ProposalTypeAdd}, &mls.Proposal{Type: mls.ProposalTypeUpdate}, &mls.Proposal{Type: mls.ProposalTypePSK},
		&mls.Proposal{Type: mls.ProposalTypeReInit}, &mls.Proposal{Type: mls.ProposalTypeAppDataUpdate}, &mls.Proposal{Type: mls.ProposalTypeAppEphemeral},
		&mls.FramedContent{ContentType: mls.ContentTypeCommit}, &mls.LeafNode{}, &mls.PreSharedKeyID{}, &mls.Sender{},
		&mls.AppDataDictionary{{ID: 2}, {ID: 1}},
	} {
		if _, err := mls.Marshal(m); !errors.Is(err, mls.ErrEncode) {
			t.Errorf("%T: %v", m, err)
		}
	}
}

// allocated returns the octets that f allocates.
func allocated(f func()) uint64 {
	var a, b runtime.MemStats
	runtime.ReadMemStats(&a)
	f()
	runtime.ReadMemStats(&b)
	return b.TotalAlloc - a.TotalAlloc
}

func smallLeaf(t testing.TB) []byte {
	b, err := mls.Marshal(&mls.LeafNode{Source: mls.LeafNodeSourceUpdate, Credential: mls.BasicCredential(nil)})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestAllocationBounded: whatever the input claims, decoding allocates no more
// than a small multiple of the octets that are there.
func TestAllocationBounded(t *testing.T) {
	vector := func(head []byte, n int, element ...byte) []byte {
		w := tlscodec.NewWriter(head)
		w.Vector(func(w *tlscodec.Writer) { w.Raw(bytes.Repeat(element, n)) })
		b, _ := w.Bytes()
		return b
	}
	ciphertext := append([]byte{1, 1, 16}, make([]byte, 16)...)
	for name, tc := range map[string]struct {
		into structure
		data []byte
	}{
		"claimed gigabyte":  {new(mls.Message), []byte{0, 1, 0, 1, 0xbf, 0xff, 0xff, 0xff}},
		"blank nodes":       {new(mls.RatchetTree), vector(nil, 100_000, 0)},
		"empty extensions":  {new(mls.Extensions), vector(nil, 100_000, 0, 1, 0)},
		"references":        {new(mls.Commit), append(vector(nil, 10_000, append([]byte{2, 32}, make([]byte, 32)...)...), 0)},
		"short proposals":   {new(mls.Commit), append(vector(nil, 60_000, 1, 0, 10), 0)},
		"small ciphertexts": {new(mls.UpdatePathNode), vector([]byte{0}, 10_000, ciphertext...)},
		"empty components":  {new(mls.AppDataDictionary), vector(nil, 1, 0, 1, 0)},
		"capabilities":      {new(mls.RequiredCapabilities), append(vector(nil, 100_000, 1, 2), 0, 0)},
		"one long element":  {new(mls.UpdatePath), bytes.Join([][]byte{smallLeaf(t), vector(nil, 1, append([]byte{0, 0, 0}, vector(nil, 400_000, 1)...)...)}, nil)},
	} {
		got := allocated(func() { _ = mls.Unmarshal(tc.data, tc.into) })
		if limit := uint64(112*len(tc.data) + 32<<10); got > limit {
			t.Errorf("%s: %d octets of input allocate %d", name, len(tc.data), got)
		}
	}
}

func TestXWingSuite(t *testing.T) {
	s := mustSuite(t, mls.XWingAES256GCM)
	priv, pub, err := s.GenerateKeyPair(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if len(pub) != 1216 {
		t.Errorf("public key of %d octets, want 1216", len(pub))
	}
	ct, err := s.EncryptWithLabel(pub, "test", []byte("context"), []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	if pt, err := s.DecryptWithLabel(priv, "test", []byte("context"), ct); err != nil || string(pt) != "hello" {
		t.Errorf("got %q, %v", pt, err)
	}
	if _, err := s.DecryptWithLabel(priv, "test", []byte("other"), ct); !errors.Is(err, mls.ErrDecrypt) {
		t.Errorf("other context: %v", err)
	}
}

func TestEverySuite(t *testing.T) {
	for _, c := range mls.CipherSuites() {
		s := mustSuite(t, c)
		priv, pub, err := s.GenerateKeyPair(rand.Reader)
		if err != nil {
			t.Fatalf("%v: %v", c, err)
		}
		if again, err := s.HPKEPublicKey(priv); err != nil || !bytes.Equal(again, pub) {
			t.Errorf("%v: public key does not follow from the private one: %v", c, err)
		}
		out, sent, err := s.ExternalInit(pub)
		if err != nil {
			t.Fatalf("%v: %v", c, err)
		}
		if got, err := s.ExternalInitFrom(priv, out); err != nil || !got.Equal(sent) || got.Len() != s.HashSize() {
			t.Errorf("%v: external init secrets differ: %v", c, err)
		}
		key, err := s.GenerateSignatureKey(rand.Reader)
		if err != nil {
			t.Fatalf("%v: %v", c, err)
		}
		if again, err := s.ParseSignatureKey(key.Private()); err != nil || !bytes.Equal(again.Public(), key.Public()) {
			t.Errorf("%v: signature key does not survive storage: %v", c, err)
		}
		for what, err := range map[string]error{
			"HPKE key":            s.CheckHPKEPublicKey(pub[:len(pub)-1]),
			"empty HPKE key":      s.CheckHPKEPublicKey(nil),
			"signature key":       s.CheckSignaturePublicKey(key.Public()[1:]),
			"empty signature key": s.CheckSignaturePublicKey(nil),
		} {
			if !errors.Is(err, mls.ErrPublicKey) {
				t.Errorf("%v: malformed %s: %v", c, what, err)
			}
		}
		if _, err := s.EncryptWithLabel(pub[1:], "l", nil, nil); !errors.Is(err, mls.ErrPublicKey) {
			t.Errorf("%v: encryption to a malformed key: %v", c, err)
		}
		if _, err := s.ParseSignatureKey(secret.Clone(make([]byte, 100))); !errors.Is(err, mls.ErrPrivateKey) {
			t.Errorf("%v: malformed private key: %v", c, err)
		}
	}
	if _, err := mls.CipherSuite(0x7777).Suite(); !errors.Is(err, mls.ErrUnsupportedSuite) {
		t.Errorf("unknown suite: %v", err)
	}
}
