package tree_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/tree"
)

// codec is a structure of this package in both directions.
type codec struct {
	name    string
	sample  []byte
	decoded func() interface {
		mls.Marshaler
		mls.Unmarshaler
	}
}

// samples encodes one of each structure that a real tree has.
func samples(t testing.TB) []codec {
	t.Helper()
	h := grown(t, 6)
	e := h.tree.Edit()
	own := h.create(t, e, 2)
	_, err := e.AddLeaf(h.person(t).leaf)
	must(t, err)
	h.apply(t, e)
	slice, err := h.tree.Slice(1)
	must(t, err)
	vacant, err := h.tree.Slice(7)
	must(t, err)
	header := h.tree.Header()
	private := own.Private()
	type both = interface {
		mls.Marshaler
		mls.Unmarshaler
	}
	record := func() both { return new(tree.Record) }
	out := []codec{
		{"header", marshal(t, &header), func() both { return new(tree.Header) }},
		{"slice", marshal(t, slice), func() both { return new(tree.Slice) }},
		{"slice of a blank leaf", marshal(t, vacant), func() both { return new(tree.Slice) }},
		{"private", marshal(t, private), func() both { return new(tree.Private) }},
	}
	for _, x := range []mls.NodeIndex{0, 1, 7, 11, 13} {
		r, err := h.store.Node(x, h.tree.Version())
		must(t, err)
		out = append(out, codec{"record", marshal(t, r), record})
	}
	sparse := &tree.Record{Node: &mls.ParentNode{EncryptionKey: []byte{1}, ParentHash: []byte{}, Unmerged: []mls.LeafIndex{0, 1, 5, 70, 71, 20000, mls.MaxLeaves - 1}},
		Left: tree.Child{Hash: []byte{2}, Leaves: 1, Resolution: 1}, Right: tree.Child{Hash: []byte{3}}}
	return append(out, codec{"record", marshal(t, sparse), record})
}

func TestCodecs(t *testing.T) {
	for _, c := range samples(t) {
		v := c.decoded()
		if err := mls.Unmarshal(c.sample, v); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if !bytes.Equal(marshal(t, v), c.sample) {
			t.Errorf("%s: encoding differs", c.name)
		}
		for i := range c.sample {
			if err := mls.Unmarshal(c.sample[:i], c.decoded()); !errors.Is(err, mls.ErrMalformed) {
				t.Errorf("%s: prefix of %d octets: %v", c.name, i, err)
			}
		}
		if err := mls.Unmarshal(append(bytes.Clone(c.sample), 0), c.decoded()); !errors.Is(err, mls.ErrMalformed) {
			t.Errorf("%s: trailing octet: %v", c.name, err)
		}
	}
}

func TestCodecsRefuse(t *testing.T) {
	child := tree.Child{Hash: []byte{2}, Leaves: 1, Resolution: 1}
	blank := tree.Child{Hash: []byte{2}}
	for name, r := range map[string]*tree.Record{
		"blank subtree":              {Left: blank, Right: blank},
		"no hash":                    {Left: child, Right: tree.Child{}},
		"members, no resolution":     {Left: tree.Child{Hash: []byte{1}, Leaves: 3}, Right: child},
		"resolution, no members":     {Left: child, Right: tree.Child{Hash: []byte{1}, Resolution: 3}},
		"unmerged sum beyond a tree": {Node: &mls.ParentNode{Unmerged: []mls.LeafIndex{1<<30 - 1, 1 << 30}}, Left: child, Right: child},
	} {
		if err := mls.Unmarshal(marshal(t, r), new(tree.Record)); !errors.Is(err, mls.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := mls.Unmarshal([]byte{9}, new(tree.Record)); !errors.Is(err, mls.ErrMalformed) {
		t.Errorf("unknown kind: %v", err)
	}
	for name, h := range map[string]*tree.Header{
		"size":    {Size: 3, Hash: []byte{1}},
		"size 0":  {Hash: []byte{1}},
		"no hash": {Size: 4},
	} {
		if err := mls.Unmarshal(marshal(t, h), new(tree.Header)); !errors.Is(err, mls.ErrMalformed) {
			t.Errorf("header, %s: %v", name, err)
		}
	}
	p := tree.NewPrivate(3, mls.HPKEPrivateKey{Bytes: secret.New([]byte{1})})
	p.Held()[1] = p.LeafKey() // not above leaf 3
	if err := mls.Unmarshal(marshal(t, p), new(tree.Private)); !errors.Is(err, mls.ErrMalformed) {
		t.Errorf("private key of a stranger's node: %v", err)
	}
	delete(p.Held(), 1)
	delete(p.Held(), 6)
	if err := mls.Unmarshal(marshal(t, p), new(tree.Private)); !errors.Is(err, mls.ErrMalformed) {
		t.Errorf("no leaf key: %v", err)
	}
}
