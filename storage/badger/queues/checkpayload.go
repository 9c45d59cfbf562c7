package queues

import (
	"bytes"
	"math"

	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/wire"
)

const payloadSize = len(wire.PayloadID{})

// payloads checks that each payload has recipients and all of its chunks. Those
// of days that expired lose their references first: chunks without, of a day
// that is not after the first one that has any, are left over.
func (c *check) payloads() error {
	first := qs.Day(math.MaxUint32)
	err := visit(c, []byte{kindReferences}, 1+payloadSize, func() *references { return new(references) }, func(k []byte, f *references) error {
		first = min(first, qs.PayloadDay(wire.PayloadID(k[1:])))
		if len(f.bits) == 0 || len(f.bits) > qs.MaxRecipients/8 || len(bytes.Trim(f.bits, "\x00")) == 0 {
			c.Problem(kindReferences, "recipients")
		}
		if f.chunks == 0 {
			return nil // nothing else would find out that there should be some
		}
		ok, err := c.Has(key(kindPayload, k[1:], f.chunks-1))
		if !ok {
			c.Problem(kindReferences, "last chunk is missing")
		}
		return err
	})
	if err != nil {
		return err
	}
	return c.chunks(first)
}

// chunks checks that the chunks of each payload are dense, and full but for the
// last.
func (c *check) chunks(first qs.Day) error {
	var id []byte // of the payload that passes by
	var f references
	found, next, short := false, 0, false
	return c.Visit([]byte{kindPayload}, func(k, value []byte) error {
		if len(k) != 1+payloadSize+1 {
			c.Problem(kindPayload, keySize)
			return nil
		}
		if this := k[1 : 1+payloadSize]; !bytes.Equal(this, id) {
			id, f, next, short = bytes.Clone(this), references{}, 0, false
			var err error
			if found, err = c.load(key(kindReferences, id), &f); err != nil {
				return err
			}
		}
		if !found {
			if qs.PayloadDay(wire.PayloadID(id)) > first {
				c.Problem(kindPayload, "references are missing")
			} else {
				c.Leftover(kindPayload)
			}
			return nil
		}
		if n := int(k[len(k)-1]); n != next || n >= int(f.chunks) || short || len(value) == 0 || len(value) > chunkSize {
			c.Problem(kindPayload, "not the next of its payload")
		}
		next, short = next+1, len(value) < chunkSize
		return nil
	})
}
