package group

import (
	"fmt"

	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/epoch"
	"github.com/pseudods/pseudods/mls/tree"
)

// The codec of a pending commit. Its tree is saved as what changes.

func (p *pending) marshal(w *tlscodec.Writer) {
	w.Opaque(p.authenticatedData)
	p.commit.marshal(w)
	n := p.next
	n.public.Context.MarshalTLS(w)
	w.Opaque(n.public.InterimTranscriptHash)
	w.Opaque(n.tag)
	marshalChanges(w, n.changes)
	n.current.marshal(w)
	n.what.marshal(w)
}

func (p *pending) unmarshal(r *tlscodec.Reader, g *Group) {
	p.authenticatedData = r.Opaque()
	p.commit = new(Commit)
	p.commit.unmarshal(r)
	n := new(next)
	p.next = n
	var ctx mls.GroupContext
	ctx.UnmarshalTLS(r)
	interim := r.Opaque()
	n.tag = r.Opaque()
	n.changes = unmarshalChanges(r, g.now.public.Tree)
	if r.Err() != nil {
		return
	}
	if ctx.Epoch != g.Epoch()+1 || ctx.CipherSuite != g.CipherSuite() || g.inGroup(ctx.GroupID) != nil {
		r.Fail(fmt.Errorf("%w: context of the pending commit", tlscodec.ErrValue))
		return
	}
	var err error
	n.public, err = epoch.NewState(tree.New(g.suite, g.store, n.changes.Version, n.changes.Header), ctx, interim)
	if err != nil {
		r.Fail(err)
		return
	}
	n.current.unmarshal(r)
	n.what = new(Committed)
	n.what.unmarshal(r)
	n.what.Epoch, n.what.Extensions, n.what.Own = ctx.Epoch, ctx.Extensions, true
	p.commit.What = n.what
}

func (c *Commit) marshal(w *tlscodec.Writer) {
	c.Message.MarshalTLS(w)
	w.Bool(c.Welcome != nil)
	if c.Welcome != nil {
		c.Welcome.MarshalTLS(w)
	}
	c.GroupInfo.MarshalTLS(w)
	c.Partial.MarshalTLS(w)
}

func (c *Commit) unmarshal(r *tlscodec.Reader) {
	*c = Commit{Message: new(mls.Message), GroupInfo: new(mls.GroupInfo), Partial: new(mls.PartialGroupInfo)}
	c.Message.UnmarshalTLS(r)
	if r.Bool() {
		c.Welcome = new(mls.Message)
		c.Welcome.UnmarshalTLS(r)
	}
	c.GroupInfo.UnmarshalTLS(r)
	c.Partial.UnmarshalTLS(r)
}

func marshalChanges(w *tlscodec.Writer, c *tree.Changes) {
	c.Header.MarshalTLS(w)
	w.Vector(func(w *tlscodec.Writer) {
		for _, n := range c.Nodes {
			w.Uint32(uint32(n.Index))
			w.Bool(n.Record != nil)
			if n.Record != nil {
				n.Record.MarshalTLS(w)
			}
		}
	})
	for _, keys := range [][]tree.KeyHash{c.KeysAdded, c.KeysRemoved} {
		w.Vector(func(w *tlscodec.Writer) {
			for _, k := range keys {
				w.Raw(k[:])
			}
		})
	}
}

// unmarshalChanges decodes changes to t. A store makes room for the highest node
// index, so the indexes must lie within what so many changes can lead to.
func unmarshalChanges(r *tlscodec.Reader, t *tree.Tree) *tree.Changes {
	c := &tree.Changes{Base: t.Version(), Version: t.Version() + 1}
	c.Header.UnmarshalTLS(r)
	last := int64(-1)
	r.Vector(func(r *tlscodec.Reader) {
		n := tree.NodeWrite{Index: mls.NodeIndex(r.Uint32())}
		if r.Bool() {
			n.Record = new(tree.Record)
			n.Record.UnmarshalTLS(r)
		}
		if int64(n.Index) <= last {
			r.Fail(fmt.Errorf("%w: order", tlscodec.ErrValue))
		}
		last = int64(n.Index)
		c.Nodes = append(c.Nodes, n)
	})
	for _, keys := range []*[]tree.KeyHash{&c.KeysAdded, &c.KeysRemoved} {
		r.Vector(func(r *tlscodec.Reader) {
			var k tree.KeyHash
			copy(k[:], r.Fixed(len(k)))
			*keys = append(*keys, k)
		})
	}
	size := uint64(max(c.Header.Size, t.Size()))
	if r.Err() == nil && (size > 2*(uint64(t.Size())+uint64(len(c.Nodes))) || last > int64(2*size-2)) {
		r.Fail(fmt.Errorf("%w: size of the tree", tlscodec.ErrValue))
	}
	return c
}

func (c *Committed) marshal(w *tlscodec.Writer) {
	w.Uint32(uint32(c.Committer))
	w.Bool(c.External)
	marshalChange(w, c.Path)
	for _, list := range [][]epoch.Change{c.Updated, c.Removed, c.Added} {
		w.Vector(func(w *tlscodec.Writer) {
			for _, change := range list {
				marshalChange(w, change)
			}
		})
	}
	w.Vector(func(w *tlscodec.Writer) {
		for i := range c.PSKs {
			c.PSKs[i].MarshalTLS(w)
		}
	})
	w.Vector(func(w *tlscodec.Writer) {
		for _, p := range c.Others {
			marshalProposal(w, p)
		}
	})
	w.Bool(c.ReInit != nil)
	if c.ReInit != nil {
		c.ReInit.MarshalTLS(w)
	}
}

// unmarshal decodes all but what the GroupContext of the new epoch tells.
func (c *Committed) unmarshal(r *tlscodec.Reader) {
	*c = Committed{Committer: mls.LeafIndex(r.Uint32()), External: r.Bool(), Path: unmarshalChange(r)}
	for _, list := range []*[]epoch.Change{&c.Updated, &c.Removed, &c.Added} {
		r.Vector(func(r *tlscodec.Reader) { *list = append(*list, unmarshalChange(r)) })
	}
	r.Vector(func(r *tlscodec.Reader) {
		var id mls.PreSharedKeyID
		id.UnmarshalTLS(r)
		c.PSKs = append(c.PSKs, id)
	})
	r.Vector(func(r *tlscodec.Reader) { c.Others = append(c.Others, unmarshalProposal(r)) })
	if r.Bool() {
		c.ReInit = new(mls.ReInit)
		c.ReInit.UnmarshalTLS(r)
		c.Ended = EndReInit
	}
}

func marshalChange(w *tlscodec.Writer, c epoch.Change) {
	w.Uint32(uint32(c.Leaf))
	for _, leaf := range []*mls.LeafNode{c.Old, c.New} {
		w.Bool(leaf != nil)
		if leaf != nil {
			leaf.MarshalTLS(w)
		}
	}
}

func unmarshalChange(r *tlscodec.Reader) epoch.Change {
	c := epoch.Change{Leaf: mls.LeafIndex(r.Uint32())}
	for _, leaf := range []**mls.LeafNode{&c.Old, &c.New} {
		if r.Bool() {
			*leaf = new(mls.LeafNode)
			(*leaf).UnmarshalTLS(r)
		}
	}
	return c
}
