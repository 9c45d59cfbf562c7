package grouptest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/storagetest/faults"
)

func writeGroup(n byte) wire.GroupID { return wire.GroupID{9, n} }

// commitOnce commits a batch, also if that was done before.
func commitOnce(s Store, n byte, b *ds.Batch) error {
	err := s.Commit(context.Background(), writeGroup(n), b)
	if errors.Is(err, ds.ErrConflict) {
		at, err := s.Read(context.Background(), writeGroup(n), nil)
		if err == nil && at.Version != b.Base+1 {
			err = fmt.Errorf("grouptest: version %d after a batch of %d", at.Version, b.Base)
		}
		return err
	}
	return err
}

// founded is a group with records and a message on its way.
func founded(s Store, n byte) error {
	return commitOnce(s, n, &ds.Batch{Puts: put("a", "1", "b", "1"), Messages: []ds.Message{message(1, "first"), message(2, "first", "more")}})
}

// showGroup shows all that a batch may change.
func showGroup(s Store, n byte) (string, error) {
	ctx := context.Background()
	at, err := s.Read(ctx, writeGroup(n), []ds.Lookup{{Key: []byte("a")}, {Key: []byte("b")}, {Key: []byte("c"), Prefix: 1}})
	if err != nil {
		return "", err
	}
	out := fmt.Sprintf("version %d, sequence %d", at.Version, at.Sequence)
	for _, r := range at.Records {
		out += fmt.Sprintf(", %s=%.20s of %d", r.Key, r.Value, len(r.Value))
	}
	for lane := byte(1); lane <= 3; lane++ {
		first, err := s.First(ctx, writeGroup(n), ds.Lane{lane})
		if err != nil {
			return "", err
		}
		m, err := s.Message(ctx, writeGroup(n), ds.Lane{lane}, first)
		if err != nil {
			return "", err
		}
		if m != nil {
			content := bytes.Join(m.Parts, nil)
			out += fmt.Sprintf(", lane %d: %d %.20s of %d", lane, m.Sequence, content, len(content))
		}
	}
	return out, nil
}

// writes are the writes of a store of groups.
var writes = []faults.Write[Store]{
	{
		Name: "found a group",
		Do:   founded,
		Show: showGroup,
	},
	{
		Name:    "commit",
		Prepare: founded,
		Do: func(s Store, n byte) error {
			return commitOnce(s, n, &ds.Batch{Base: 1, Puts: put("a", "2", "c1", "1"), Deletes: [][]byte{[]byte("b")}, Messages: []ds.Message{message(3, "second")}})
		},
		Show: showGroup,
	},
	{
		Name:    "commit much",
		Prepare: founded,
		Do: func(s Store, n byte) error {
			b := &ds.Batch{Base: 1, Messages: []ds.Message{message(3, strings.Repeat("m", ds.MaxValue), "end")}}
			for i := range 2000 {
				b.Puts = append(b.Puts, put(fmt.Sprintf("c%06d", i), strings.Repeat("v", 300))...)
			}
			return commitOnce(s, n, b)
		},
		Show: showGroup,
	},
	{
		Name:    "deliver",
		Prepare: founded,
		Do: func(s Store, n byte) error {
			_, err := s.Done(context.Background(), writeGroup(n), ds.Lane{2}, 1)
			return err
		},
		Show: showGroup,
	},
}
