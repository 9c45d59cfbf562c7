package queues

import (
	"bytes"
	"encoding/binary"

	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// pools checks each pool against its KeyPackages, contacts and claims.
func (c *check) pools() error {
	return visit(c, []byte{kindPool}, 1+partitionSize, func() *pool { return new(pool) }, func(k []byte, p *pool) error {
		id := wire.PoolID(k[1:])
		if p.kind != wire.PoolConnection && p.kind != wire.PoolGroup || p.contacts > qs.MaxContacts || p.active.restores > c.restores {
			c.Problem(kindPool, "numbers contradict each other")
		}
		if p.staged != (batch{}) && (p.staged.id <= p.active.id || p.staged.next != 0 || p.staged.end+lastOf(&p.staged) != p.staged.received) {
			c.Problem(kindPool, "staged batch")
		}
		if err := c.keyPackages(id, p); err != nil {
			return err
		}
		if err := c.contacts(id, p); err != nil {
			return err
		}
		return visit(c, key(kindClaim, id[:]), 1+partitionSize+len(qs.Claim{}.Request), func() *keyPackage { return new(keyPackage) },
			func(_ []byte, k *keyPackage) error {
				c.keyPackage(kindClaim, k)
				return nil
			})
	})
}

func lastOf(b *batch) uint32 {
	if b.lastResort {
		return 1
	}
	return 0
}

func (c *check) keyPackage(kind byte, k *keyPackage) {
	if len(k.encoded) == 0 || len(k.encoded) > qs.MaxKeyPackage {
		c.Problem(kind, "size")
	}
}

// keyPackages checks that of each batch all numbers that are to be handed out
// are there, and no other.
func (c *check) keyPackages(id wire.PoolID, p *pool) error {
	next := map[uint64]*batch{p.active.id: {next: p.active.next, end: p.active.end, lastResort: p.active.lastResort}}
	if p.staged.id != 0 {
		next[p.staged.id] = &batch{end: p.staged.end, lastResort: p.staged.lastResort}
	}
	err := visit(c, key(kindKeyPackage, id[:]), 1+partitionSize+8+4, func() *keyPackage { return new(keyPackage) }, func(k []byte, v *keyPackage) error {
		c.keyPackage(kindKeyPackage, v)
		number := binary.BigEndian.Uint32(k[1+partitionSize+8:])
		switch b := next[binary.BigEndian.Uint64(k[1+partitionSize:])]; {
		case b == nil:
			c.Problem(kindKeyPackage, "of no batch of its pool")
		case number == lastResort && b.lastResort:
			b.lastResort = false
		case number != b.next || number >= b.end:
			c.Problem(kindKeyPackage, gap)
		default:
			b.next++
		}
		return nil
	})
	for _, b := range next {
		if err == nil && (b.next != b.end || b.lastResort) {
			c.Problem(kindPool, miscounted)
		}
	}
	return err
}

func (c *check) contacts(id wire.PoolID, p *pool) error {
	var n uint32
	err := c.Visit(key(kindContact, id[:]), func(k, value []byte) error {
		n++
		if len(k) != 1+partitionSize+len(wire.ContactHash{}) {
			c.Problem(kindContact, keySize)
		} else if !bytes.Equal(value, contactValue(true)) && !bytes.Equal(value, contactValue(false)) {
			c.Problem(kindContact, undecodable)
		}
		return nil
	})
	if err == nil && n != p.contacts {
		c.Problem(kindPool, miscounted)
	}
	return err
}
