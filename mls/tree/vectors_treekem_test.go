package tree_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/tree"
)

type treekemVector struct {
	Suite      mls.CipherSuite `json:"cipher_suite"`
	GroupID    octets          `json:"group_id"`
	Epoch      uint64          `json:"epoch"`
	Transcript octets          `json:"confirmed_transcript_hash"`
	Tree       octets          `json:"ratchet_tree"`
	Leaves     []struct {
		Index       mls.LeafIndex `json:"index"`
		Encryption  octets        `json:"encryption_priv"`
		Signature   octets        `json:"signature_priv"`
		PathSecrets []struct {
			Node   mls.NodeIndex `json:"node"`
			Secret octets        `json:"path_secret"`
		} `json:"path_secrets"`
	} `json:"leaves_private"`
	Paths []struct {
		Sender      mls.LeafIndex `json:"sender"`
		Path        octets        `json:"update_path"`
		PathSecrets []octets      `json:"path_secrets"`
		Commit      octets        `json:"commit_secret"`
		HashAfter   octets        `json:"tree_hash_after"`
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

func TestVectorsTreeKEM(t *testing.T) {
	for i, v := range vectors[treekemVector](t, "treekem") {
		t.Run(fmt.Sprintf("%d-suite%d", i, v.Suite), func(t *testing.T) {
			t.Parallel()
			s := suite(t, v.Suite)
			// Not Import, for the leaves of suite 7 do not list their suite.
			c, err := tree.Build(tree.ImportConfig{Suite: s, GroupID: v.GroupID}, decode[mls.RatchetTree](t, v.Tree))
			if err != nil {
				t.Fatal(err)
			}
			tr, _ := filled(t, s, c)
			members := make(map[mls.LeafIndex]*tree.Private)
			signers := make(map[mls.LeafIndex]*mls.SignatureKey)
			for _, l := range v.Leaves {
				p := tree.NewPrivate(l.Index, mls.HPKEPrivateKey{Bytes: secret.New(l.Encryption)})
				for _, ps := range l.PathSecrets {
					// Each secret is of another commit, so none says anything
					// of the nodes above its own.
					key, _, err := s.DeriveKeyPair(s.DeriveSecret(secret.New(ps.Secret), "node"))
					if err != nil {
						t.Fatal(err)
					}
					p.Held()[ps.Node] = key
				}
				checkHeld(t, tr.Edit(), p)
				members[l.Index] = p
				if signers[l.Index], err = s.ParseSignatureKey(secret.New(l.Signature)); err != nil {
					t.Fatal(err)
				}
			}
			for _, u := range v.Paths {
				path := decode[mls.UpdatePath](t, u.Path)
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
	held := p.Held()
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
		if n != nil && !contains(n.Unmerged, p.Leaf()) {
			check(x, n.EncryptionKey)
		}
	}
	if len(held) != want {
		t.Fatalf("leaf %d holds %d keys, %d are its own", p.Leaf(), len(held), want)
	}
}

func contains(list []mls.LeafIndex, l mls.LeafIndex) bool {
	for _, v := range list {
		if v == l {
			return true
		}
	}
	return false
}
