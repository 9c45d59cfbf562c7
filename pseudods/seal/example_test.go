package seal_test

import (
	"crypto/rand"
	"fmt"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// A message goes from a delivery service over a queue service to a member. Errors
// are left out for brevity.
func Example() {
	// The member has a queue, and shares a secret with the delivery service.
	owner, _ := seal.GenerateKey(wire.X25519)
	queue, address := wire.QueueID{1}, wire.AddressID{2}
	shared := seal.DeliverySecret{Bytes: secret.New(make([]byte, seal.DeliverySecretSize))}

	// The delivery service encrypts the message once, and its key to each member.
	payload, key, _ := seal.SealPayload(rand.Reader, []byte("hello"))
	entry, _ := seal.SealEntry(rand.Reader, shared, &seal.Entry{PayloadKey: key, Sequence: 7})

	// The queue service seals what it got to the queue's owner.
	segment, kemOutput, _ := seal.NewSegment(owner.Public(), queue)
	ciphertext, _ := segment.Segment().Seal(0, &wire.Item{Kind: wire.ItemDelivery, Address: address, Stream: address, Entry: entry, Inline: payload})
	page := &wire.QueuePage{
		Segments: []wire.Segment{{Start: 1, KEMOutput: kemOutput}},
		Entries:  []wire.QueueEntry{{Seq: 1, Segment: 1, Ciphertext: ciphertext}},
	}

	// The member opens the page, by the address finds the secret, and so on.
	for _, e := range seal.NewReader(owner, queue).Open(page) {
		opened, _ := seal.OpenEntry(shared, &e.Item.Entry)
		message, _ := seal.OpenPayload(opened.PayloadKey, e.Item.Inline)
		fmt.Printf("%d: %s\n", opened.Sequence, message)
	}
	// Output: 7: hello
}
