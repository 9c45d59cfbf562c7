package mls_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/tree"
)

type treekemVector struct {
	Suite      mls.CipherSuite `json:"cipher_suite"`
	GroupID    hexBytes        `json:"group_id"`
	Epoch      uint64          `json:"epoch"`
	Transcript hexBytes        `json:"confirmed_transcript_hash"`
	Tree       hexBytes        `json:"ratchet_tree"`
	Leaves     []struct {
		Index       mls.LeafIndex `json:"index"`
		Encryption  hexBytes      `json:"encryption_priv"`
		Signature   hexBytes      `json:"signature_priv"`
		PathSecrets []struct {
			Node   mls.NodeIndex `json:"node"`
			Secret hexBytes      `json:"path_secret"`
		} `json:"path_secrets"`
	} `json:"leaves_private"`
	Paths []struct {
		Sender      mls.LeafIndex `json:"sender"`
		Path        hexBytes      `json:"update_path"`
		PathSecrets []hexBytes    `json:"path_secrets"`
		Commit      hexBytes      `json:"commit_secret"`
		HashAfter   hexBytes      `json:"tree_hash_after"`
	} `json:"update_paths"`
}

func (v *treekemVector) context(t testing.TB, treeHash []byte) []byte {
	t.Helper()
	b, err := mls.Marshal(&mls.GroupContext{Version: mls.MLS10, CipherSuite: v.Suite, GroupID: v.GroupID,
		Epoch: v.Epoch, TreeHash: treeHash, ConfirmedTranscriptHash: v.Transcript})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func vectorsTreeKEM(t *testing.T) {
	for i, v := range loadVectors[treekemVector](t, "treekem") {
		t.Run(fmt.Sprintf("%d-suite%d", i, v.Suite), func(t *testing.T) {
			t.Parallel()
			s := mustSuite(t, v.Suite)
			c, err := tree.Import(tree.ImportConfig{Suite: s, GroupID: v.GroupID}, decoded[mls.RatchetTree](t, v.Tree))
			if err != nil {
				t.Fatal(err)
			}
			tr, _ := filled(t, s, c)
			members := make(map[mls.LeafIndex]*tree.Private)
			signers := make(map[mls.LeafIndex]*mls.SignatureKey)
			for _, l := range v.Leaves {
				keys := map[mls.NodeIndex]mls.HPKEPrivateKey{l.Index.Node(): {Bytes: secret.New(l.Encryption)}}
				for _, ps := range l.PathSecrets {
					// Each secret is of another commit, so none says anything
					// of the nodes above its own.
					key, _, err := s.DeriveKeyPair(s.DeriveSecret(secret.New(ps.Secret), "node"))
					if err != nil {
						t.Fatal(err)
					}
					keys[ps.Node] = key
				}
				p := privateOf(t, l.Index, keys)
				checkHeld(t, tr.Edit(), p)
				members[l.Index] = p
				if signers[l.Index], err = s.ParseSignatureKey(secret.New(l.Signature)); err != nil {
					t.Fatal(err)
				}
			}
			for _, u := range v.Paths {
				path := decoded[mls.UpdatePath](t, u.Path)
				if err := path.LeafNode.VerifySignature(s, v.GroupID, u.Sender); err != nil {
					t.Fatal(err)
				}
				e := tr.Edit()
				if err := e.MergePath(u.Sender, &path); err != nil {
					t.Fatalf("path of %d: %v", u.Sender, err)
				}
				h, err := e.Hash()
				if err != nil || !bytes.Equal(h, u.HashAfter) {
					t.Fatalf("path of %d: tree hash, %v", u.Sender, err)
				}
				everyoneOpens(t, e, members, u.Sender, &path, v.context(t, h), secret.Clone(u.Commit))

				e = tr.Edit()
				old, err := e.Leaf(u.Sender)
				if err != nil {
					t.Fatal(err)
				}
				own, err := e.CreatePath(rand.Reader, u.Sender, old, signers[u.Sender], v.GroupID)
				if err != nil {
					t.Fatal(err)
				}
				if h, err = e.Hash(); err != nil {
					t.Fatal(err)
				}
				ctx := v.context(t, h)
				sealed, err := own.Seal(ctx)
				if err != nil {
					t.Fatal(err)
				}
				theirs := tr.Edit()
				if err := theirs.MergePath(u.Sender, sealed); err != nil {
					t.Fatalf("own path of %d: %v", u.Sender, err)
				}
				if h2, _ := theirs.Hash(); !bytes.Equal(h, h2) {
					t.Fatal("committer and receiver have different tree hashes")
				}
				everyoneOpens(t, theirs, members, u.Sender, sealed, ctx, own.CommitSecret())
			}
		})
	}
}

// everyoneOpens has all members but the sender open a path, and checks the
// commit secret and that each then holds the keys of the path's nodes.
func everyoneOpens(t testing.TB, e *tree.Edit, members map[mls.LeafIndex]*tree.Private, sender mls.LeafIndex, path *mls.UpdatePath, ctx []byte, commit secret.Bytes) {
	t.Helper()
	for l, p := range members {
		after, got, err := p.OpenPath(e, sender, path, ctx)
		if l == sender {
			if !errors.Is(err, tree.ErrNoPathKey) {
				t.Fatalf("the sender opens its own path: %v", err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("path of %d: leaf %d: %v", sender, l, err)
		}
		if !got.Equal(commit) {
			t.Fatalf("path of %d: leaf %d has another commit secret", sender, l)
		}
		checkHeld(t, e, after)
	}
}

// checkHeld verifies the tree invariant (RFC 9420, Section 4.2) for one member:
// it holds the keys of exactly the nodes above it that are not blank and do not
// list it as unmerged, and they are the right ones.
func checkHeld(t testing.TB, e *tree.Edit, p *tree.Private) {
	t.Helper()
	held := held(t, p)
	want := 0
	check := func(x mls.NodeIndex, public []byte) {
		want++
		got, err := e.Suite().HPKEPublicKey(held[x])
		if err != nil || !bytes.Equal(got, public) {
			t.Fatalf("leaf %d holds a wrong key of node %d: %v", p.Leaf(), x, err)
		}
	}
	leaf, err := e.Leaf(p.Leaf())
	if err != nil {
		t.Fatal(err)
	}
	check(p.Leaf().Node(), leaf.EncryptionKey)
	for x, root := p.Leaf().Node(), mls.Root(e.Size()); x != root; {
		x = x.Parent()
		n, err := e.Parent(x)
		if err != nil {
			t.Fatal(err)
		}
		if n != nil && !slices.Contains(n.Unmerged, p.Leaf()) {
			check(x, n.EncryptionKey)
		}
	}
	if len(held) != want {
		t.Fatalf("leaf %d holds %d keys, %d are its own", p.Leaf(), len(held), want)
	}
}

// privateOf and held go through the encoding of [tree.Private], which is its only
// way in and out.
func privateOf(t testing.TB, leaf mls.LeafIndex, keys map[mls.NodeIndex]mls.HPKEPrivateKey) *tree.Private {
	t.Helper()
	var w tlscodec.Writer
	w.Uint32(uint32(leaf))
	w.Vector(func(w *tlscodec.Writer) {
		for _, x := range slices.Sorted(maps.Keys(keys)) {
			w.Uint32(uint32(x))
			w.Opaque(keys[x].Reveal())
		}
	})
	b, err := w.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	p := decoded[tree.Private](t, b)
	return &p
}

func held(t testing.TB, p *tree.Private) map[mls.NodeIndex]mls.HPKEPrivateKey {
	t.Helper()
	b, err := mls.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[mls.NodeIndex]mls.HPKEPrivateKey{}
	r := tlscodec.NewReader(b, tlscodec.Limits{})
	r.Uint32()
	r.Vector(func(r *tlscodec.Reader) {
		x := mls.NodeIndex(r.Uint32())
		keys[x] = mls.HPKEPrivateKey{Bytes: secret.Clone(r.Opaque())}
	})
	if err := r.Finish(); err != nil {
		t.Fatal(err)
	}
	return keys
}
