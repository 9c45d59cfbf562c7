package interop

import (
	"slices"

	"github.com/pseudods/pseudods/mls"
)

// nodes returns the group's tree.
func (c *conversation) nodes() (nodes mls.RatchetTree) {
	c.t.Helper()
	tree, err := c.members[0].tree()
	c.ok(c.members[0], err)
	c.ok(c.members[0], mls.Unmarshal(tree, &nodes))
	return nodes
}

// tsCanJoin tells whether ts-mls accepts a tree: see
// TestUnmergedLeavesThatDiffer.
func tsCanJoin(nodes mls.RatchetTree) bool {
	lists := map[mls.LeafIndex][][]mls.LeafIndex{} // of the parents above a leaf
	for x := range nodes {
		if p := nodes[x].Parent; p != nil {
			first, end := mls.NodeIndex(x).Leaves()
			for l := first; l < end; l++ {
				lists[l] = append(lists[l], p.Unmerged)
			}
		}
	}
	for l, above := range lists {
		listed := slices.ContainsFunc(above, func(u []mls.LeafIndex) bool { return slices.Contains(u, l) })
		for _, u := range above[1:] {
			if listed && !slices.Equal(u, above[0]) {
				return false
			}
		}
	}
	return true
}

// unmerged counts entries of unmerged leaves.
func unmerged(nodes mls.RatchetTree) (n int) {
	for x := range nodes {
		if p := nodes[x].Parent; p != nil {
			n += len(p.Unmerged)
		}
	}
	return n
}
