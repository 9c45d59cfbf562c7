package queuetest

import (
	"context"
	"errors"
	"fmt"

	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/storagetest/faults"
)

func writeQueue(n byte) wire.QueueID     { return wire.QueueID{9, n} }
func writePool(n byte) wire.PoolID       { return wire.PoolID{9, n} }
func writePayload(n byte) wire.PayloadID { return payloadID(today, n) }

// made makes a queue with three entries of one address.
func made(s Store, n byte) error {
	_, err := s.CreateQueue(context.Background(), writeQueue(n), today, newQueue(n, settings()))
	if err == nil {
		_, err = s.Append(context.Background(), today, entriesOf(n, 1, 3))
	}
	return err
}

func entriesOf(n byte, first, last uint64) (out []qs.Append) {
	for _, number := range upTo(first, last) {
		out = append(out, entryOf(writeQueue(n), qs.Mark{1}, number))
	}
	return out
}

// showQueue shows a queue and whether its address is revoked.
func showQueue(s Store, n byte) (string, error) {
	ctx, id := context.Background(), writeQueue(n)
	q, err := s.Queue(ctx, id)
	if errors.Is(err, qs.ErrNotFound) {
		return "none", nil
	}
	if err != nil {
		return "", err
	}
	page, err := s.ReadQueue(ctx, id, today, 0, qs.MaxPage)
	if err != nil {
		return "", err
	}
	out := fmt.Sprintf("version %d", q.Settings.Version)
	for _, e := range page.Entries {
		out += fmt.Sprintf(", %d %x", e.Seq, e.Ciphertext)
	}
	again, err := s.Append(ctx, today, entriesOf(n, 1, 1))
	if err != nil {
		return "", err
	}
	return out + fmt.Sprint(", outcome ", again[0].Outcome), nil
}

func publish(s Store, n byte, p qs.Part) error {
	p.Kind = wire.PoolConnection
	_, err := s.Publish(context.Background(), writePool(n), p)
	return err
}

// stocked makes a pool of three KeyPackages and stages two more.
func stocked(s Store, n byte) error {
	return errors.Join(publish(s, n, part(1, 0, 3, true)), publish(s, n, part(2, 0, 2, false)))
}

// showPool shows what is left and staged of a pool, by a part that is in use.
func showPool(s Store, n byte) (string, error) {
	key, err := s.PoolKey(context.Background(), writePool(n))
	if errors.Is(err, qs.ErrNotFound) {
		return "none", nil
	}
	if err != nil {
		return "", err
	}
	p := part(1, 0, 1, false)
	p.Kind = wire.PoolConnection
	status, err := s.Publish(context.Background(), writePool(n), p)
	return fmt.Sprintf("key %x, %+v", key[:1], status), err
}

func showPayload(s Store, n byte) (string, error) {
	p, err := s.Payload(context.Background(), writePayload(n))
	if errors.Is(err, qs.ErrNotFound) {
		return "none", nil
	}
	return fmt.Sprintf("%d octets", len(p)), err
}

// claimOf is the request under which a write takes a KeyPackage.
func claimOf(n byte) qs.Claim {
	return qs.Claim{Kind: wire.PoolConnection, Request: [32]byte{9, n}}
}

// writes are the writes of a store of queues.
var writes = []faults.Write[Store]{
	{
		Name: "create a queue",
		Do:   func(s Store, n byte) error { return made(s, n) },
		Show: func(s Store, n byte) (string, error) {
			_, err := s.Queue(context.Background(), writeQueue(n))
			if errors.Is(err, qs.ErrNotFound) {
				return "none", nil
			}
			return "a queue", err
		},
	},
	{
		Name:    "configure",
		Prepare: made,
		Do: func(s Store, n byte) error {
			newer := settings()
			newer.Version = 5
			_, err := s.ConfigureQueue(context.Background(), writeQueue(n), newer)
			return err
		},
		Show: showQueue,
	},
	{
		Name:    "append",
		Prepare: made,
		Do: func(s Store, n byte) error {
			_, err := s.Append(context.Background(), today, entriesOf(n, 4, 4))
			return err
		},
		Show: showQueue,
	},
	{
		Name:    "acknowledge",
		Prepare: made,
		Do:      func(s Store, n byte) error { return s.AckQueue(context.Background(), writeQueue(n), today, 2) },
		Show:    showQueue,
	},
	{
		Name:    "revoke",
		Prepare: made,
		Do:      func(s Store, n byte) error { return s.Revoke(context.Background(), writeQueue(n), today, qs.Mark{1}) },
		Show:    showQueue,
	},
	{
		Name:    "delete a queue",
		Prepare: made,
		Do:      func(s Store, n byte) error { return s.DeleteQueue(context.Background(), writeQueue(n)) },
		Show:    showQueue,
	},
	{
		Name:    "append with a payload",
		Prepare: made,
		Do: func(s Store, n byte) error {
			_, err := appendPayload(context.Background(), s, writePayload(n), make([]byte, 1000), 1, entriesOf(n, 4, 4))
			return err
		},
		Show: func(s Store, n byte) (string, error) {
			page, err := s.ReadQueue(context.Background(), writeQueue(n), today, 3, qs.MaxPage)
			if err != nil || len(page.Entries) == 0 {
				return "none", err
			}
			return showPayload(s, n)
		},
	},
	{
		Name: "put a payload",
		Do: func(s Store, n byte) error {
			if _, err := s.Payload(context.Background(), writePayload(n)); err == nil {
				return nil
			}
			return s.PutPayload(context.Background(), writePayload(n), make([]byte, 300<<10), 2)
		},
		Show: showPayload,
	},
	{
		Name: "release a payload",
		Prepare: func(s Store, n byte) error {
			return errors.Join(s.PutPayload(context.Background(), writePayload(n), make([]byte, 300<<10), 2),
				s.Release(context.Background(), writePayload(n), []uint16{0}))
		},
		Do:   func(s Store, n byte) error { return s.Release(context.Background(), writePayload(n), []uint16{1}) },
		Show: showPayload,
	},
	{
		Name:    "publish",
		Prepare: stocked,
		Do:      func(s Store, n byte) error { return publish(s, n, part(2, 2, 3, true)) },
		Show:    showPool,
	},
	{
		Name:    "take",
		Prepare: stocked,
		Do: func(s Store, n byte) error {
			_, err := s.Take(context.Background(), writePool(n), today, claimOf(n))
			return err
		},
		Show: showPool,
	},
	{
		Name: "allow",
		Prepare: func(s Store, n byte) error {
			p := part(1, 0, 3, true)
			_, err := s.Publish(context.Background(), writePool(n), p)
			return err
		},
		Do: func(s Store, n byte) error { return s.Allow(context.Background(), writePool(n), friend, true) },
		Show: func(s Store, n byte) (string, error) {
			got, err := s.Take(context.Background(), writePool(n), today, qs.Claim{Kind: wire.PoolGroup, Contact: &friend, Request: [32]byte{8, n}})
			if errors.Is(err, qs.ErrExhausted) {
				return "refused", nil
			}
			return string(got), err
		},
	},
	{
		Name:    "delete a pool",
		Prepare: stocked,
		Do:      func(s Store, n byte) error { return s.DeletePool(context.Background(), writePool(n)) },
		Show:    showPool,
	},
}
