package qs_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/badger/queues"
)

// windows are all runs of 8 octets of some octets.
func windows(b []byte) map[string]bool {
	out := map[string]bool{}
	for i := 0; i+8 <= len(b); i++ {
		out[string(b[i:i+8])] = true
	}
	return out
}

// shares reports whether two octet strings have a run of 8 octets in common that
// is not of one octet alone.
func shares(a, b []byte) bool {
	in := windows(b)
	for w := range windows(a) {
		if in[w] && strings.Count(w, w[:1]) != 8 {
			return true
		}
	}
	return false
}

// messages are MLS messages as a delivery service gets them from members.
func (r *rig) messages(groupID []byte, pseudonym wire.PseudonymousCredential) map[string][]byte {
	r.Helper()
	credential, err := pseudonym.Credential()
	r.must(err)
	k := mls.KeyPackage{Version: mls.MLS10, CipherSuite: mls.X25519AES128GCM, InitKey: random[[]byte](32), Signature: random[[]byte](64), LeafNode: mls.LeafNode{
		EncryptionKey: random[[]byte](32), SignatureKey: random[[]byte](32), Credential: credential, Source: mls.LeafNodeSourceKeyPackage, Signature: random[[]byte](64)}}
	out := map[string][]byte{}
	for name, m := range map[string]*mls.Message{
		"application message": {WireFormat: mls.WireFormatPrivateMessage, PrivateMessage: &mls.PrivateMessage{GroupID: groupID, Epoch: 7,
			ContentType: mls.ContentTypeApplication, AuthenticatedData: []byte("franking tag"), EncryptedSenderData: random[[]byte](28), Ciphertext: random[[]byte](900)}},
		"proposal": {WireFormat: mls.WireFormatPublicMessage, PublicMessage: &mls.PublicMessage{Content: mls.FramedContent{GroupID: groupID, Epoch: 7,
			Sender: mls.Sender{Type: mls.SenderTypeMember, Leaf: 3}, ContentType: mls.ContentTypeProposal,
			Proposal: &mls.Proposal{Type: mls.ProposalTypeAdd, Add: &k}}, Signature: random[[]byte](64), MembershipTag: random[[]byte](32)}},
	} {
		b, err := mls.Marshal(m)
		r.must(err)
		out[name] = b
	}
	return out
}

// TestNothingOfMLSCrosses inspects all that passes between delivery and queue
// service, encoded as it is on the wire: no octets of an MLS message, group or
// pseudonym are in it, nor the group's sequence, secrets, or the queue.
func TestNothingOfMLSCrosses(t *testing.T) {
	r := newRig(t, nil)
	alice, bob := r.newOwner(wire.QueueSettings{}), r.newOwner(wire.QueueSettings{})
	g := r.newGroup(alice, bob)
	g.sequence = 0x0123456789abcdef
	pseudonym := wire.PseudonymousCredential{Client: wire.Pseudonym(random[[]byte](16)), User: wire.Pseudonym(random[[]byte](16)),
		Provider: "provider.example", UserAuthKey: random[[]byte](32), IdentityLink: random[[]byte](200)}
	var crossed []byte
	sizes := map[int]bool{}
	for name, message := range r.messages(g.id, pseudonym) {
		d := g.delivery(message)
		request, err := mls.Marshal(d)
		r.must(err)
		report, err := r.service.Deliver(r.ctx, g.domain, d)
		r.must(err)
		answer, err := mls.Marshal(&report)
		r.must(err)
		for _, octets := range [][]byte{request, answer} {
			if shares(message, octets) {
				t.Errorf("octets of the %s cross", name)
			}
		}
		crossed = append(append(crossed, request...), answer...)
		for i := range d.Recipients {
			b, err := mls.Marshal(&d.Recipients[i])
			r.must(err)
			sizes[len(b)] = true
		}
	}
	if len(sizes) != 1 {
		t.Errorf("recipients differ in size: %v", sizes)
	}
	for name, needle := range map[string][]byte{
		"group id":         g.id,
		"client pseudonym": pseudonym.Client[:],
		"user pseudonym":   pseudonym.User[:],
		"user key":         pseudonym.UserAuthKey,
		"provider domain":  []byte(pseudonym.Provider),
		"sequence":         binary.BigEndian.AppendUint64(nil, g.sequence),
		"delivery secret":  g.members[0].secret.Reveal(),
		"nonce":            g.members[0].address.Nonce[:],
		"queue":            alice.queue[:],
		"address":          g.members[1].id[:],
	} {
		if shares(needle, crossed) {
			t.Errorf("octets of the %s cross", name)
		}
	}
	if !shares(g.members[0].address.Sealed.Ciphertext, crossed) {
		t.Fatal("the inspection does not see what does cross")
	}
	// The two recipients' parts of a delivery have nothing in common either.
	d := g.delivery([]byte("message"))
	a, err := mls.Marshal(&d.Recipients[0])
	r.must(err)
	b, err := mls.Marshal(&d.Recipients[1])
	r.must(err)
	if shares(a[9:], b[9:]) { // past kind and identifier of the address key
		t.Error("two recipients of one delivery share octets")
	}
}

// newBadgerRig returns a rig over the embedded store, and its directory.
func newBadgerRig(t testing.TB) (*rig, *badger.DB, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "db")
	db, err := badger.Open(badger.Config{Dir: dir, Format: queues.Format, MinFree: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return newRig(t, func(c *qs.Config) {
		if c.Store, err = queues.New(context.Background(), db); err != nil {
			t.Fatal(err)
		}
	}), db, dir
}

// TestINV02QueueStoreCopy: a copy of the files shows queues with their keys and
// pools with theirs, but nothing that ties one to another, or to an address,
// group, contact or message.
func TestINV02QueueStoreCopy(t *testing.T) {
	r, db, dir := newBadgerRig(t)
	alice, bob := r.newOwner(wire.QueueSettings{}), r.newOwner(wire.QueueSettings{})
	needles := map[string][]byte{"domain of the delivery service": []byte(dsDomain)}
	var inline, pointed [][]byte
	reusable, once := alice.address(wire.AddressReusable, nil), alice.address(wire.AddressOneTime, nil)
	for n := range 4 {
		g := r.newGroup(alice, bob)
		g.members = append(g.members, reusable)
		if n == 0 {
			g.members = append(g.members, once)
		}
		g.sequence = 0x0a0b0c0d0e0f1011 + uint64(n)<<32
		for i, text := range []string{"a short message in clear", long("a long message in clear", 1000)} {
			d := g.delivery([]byte(text))
			report, err := r.service.Deliver(r.ctx, g.domain, d)
			r.must(err)
			for _, o := range report {
				if o != wire.Delivered {
					t.Fatalf("report %v", report)
				}
			}
			if i == 0 {
				inline = append(inline, d.Payload)
			} else {
				pointed = append(pointed, d.Payload)
			}
			for m, rec := range d.Recipients {
				name := fmt.Sprintf("group %d message %d recipient %d: ", n, i, m)
				needles[name+"entry"] = bytes.Clone(rec.Entry[:])
				needles[name+"binding"] = bytes.Clone(rec.Binding[:])
				needles[name+"sealed address"] = rec.Address.Ciphertext
				needles[name+"address KEM output"] = rec.Address.KEMOutput
				needles[name+"address"] = bytes.Clone(g.members[m].id[:])
				needles[name+"delivery secret"] = g.members[m].secret.Reveal()
				needles[name+"nonce"] = bytes.Clone(g.members[m].address.Nonce[:])
			}
		}
		needles[fmt.Sprint("group ", n)] = g.id
		needles[fmt.Sprint("sequence ", n)] = binary.BigEndian.AppendUint64(nil, g.sequence)
	}
	for n, p := range inline {
		needles[fmt.Sprint("inline payload ", n)] = p[:64]
	}
	needles["message"] = []byte("message in clear")
	var streams []string
	for _, i := range alice.read() {
		needles[fmt.Sprint("stream of entry ", i.seq)] = bytes.Clone(i.item.Stream[:])
		if i.item.Ticket != nil {
			needles[fmt.Sprint("ticket of entry ", i.seq)] = bytes.Clone(i.item.Ticket.MAC[:])
		}
		streams = append(streams, string(i.item.Stream[:]))
	}
	if len(streams) < 8 {
		t.Fatal("nothing was read")
	}
	// A pool, a contact and an offer.
	poolSign, token := r.newSigner(), contactToken()
	pool := wire.PoolIDOf(poolSign.Public())
	pseudonym := random[[]byte](16)
	needles["pseudonym in a KeyPackage"] = pseudonym
	sealedPackage, err := seal.SealKeyPackage(rand.Reader, seal.PoolKeyOf(secret.New(random[[]byte](32))), pool, append(random[[]byte](300), pseudonym...))
	r.must(err)
	_, err = r.service.Publish(r.ctx, &wire.PublishKeyPackages{PoolKey: [32]byte(poolSign.Public()), Kind: wire.PoolGroup, Batch: 1, Last: true,
		KeyPackages: []wire.PublishedKeyPackage{{Sealed: sealedPackage, LastDay: today() + 90}}})
	r.must(err)
	r.must(r.service.Allow(r.ctx, &wire.AllowContact{Pool: pool, Contact: token.Hash(pool), Allow: true}))
	_, err = r.service.Take(r.ctx, wire.PoolGroup, &wire.FetchKeyPackage{Pool: pool, Contact: token}, [32]byte{1})
	r.must(err)
	needles["contact token"] = token.Reveal()
	offer := []byte(long("an offer, which is encrypted in truth", 120))
	r.must(r.service.Offer(r.ctx, &wire.ConnectionRequest{Address: reusable.address.Sealed, Offer: offer}, [32]byte{2}))
	needles["offer"] = offer[:32]
	ticketKey := r.cfg.Keys.TicketKey().Reveal()
	needles["ticket key"] = ticketKey

	// Two queues that got the same have nothing in common in their entries.
	page := func(o *owner) (all []byte) {
		p, err := r.cfg.Store.ReadQueue(r.ctx, o.queue, 0, 0, 1000)
		r.must(err)
		for _, e := range p.Entries {
			all = append(all, e.Ciphertext...)
		}
		return all
	}
	if shares(page(alice), page(bob)) {
		t.Error("entries of two queues share octets")
	}

	r.must(db.Close())
	files := readAll(t, dir)
	for name, needle := range needles {
		for encoding, encoded := range map[string][]byte{
			"raw":    needle,
			"hex":    []byte(hex.EncodeToString(needle)),
			"base64": []byte(strings.TrimRight(base64.StdEncoding.EncodeToString(needle), "=")),
		} {
			if bytes.Contains(files, encoded) {
				t.Errorf("%s is in the files, %s", name, encoding)
			}
		}
	}
	// What is there, or the search finds nothing anyway.
	for name, needle := range map[string][]byte{
		"queue": alice.queue[:], "owner key": alice.sign.Public(), "segment key": alice.segments.Public().Public,
		"pool": pool[:], "pool key": poolSign.Public(), "payload": pointed[0][:64],
	} {
		if !bytes.Contains(files, needle) {
			t.Errorf("%s is not in the files: the search is broken", name)
		}
	}
	// The file of one queue's record names no pool, and the other way round.
	for at := 0; ; at++ {
		i := bytes.Index(files[at:], alice.sign.Public())
		if i < 0 {
			break
		}
		if at += i; bytes.Contains(files[max(0, at-100):at+200], pool[:]) {
			t.Error("a queue's key stands beside a pool")
		}
	}
}

func readAll(t *testing.T, dir string) (all []byte) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		all = append(all, b...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestServiceOverBadger runs the service over the embedded store, with the
// store closed and opened in the middle.
func TestServiceOverBadger(t *testing.T) {
	r, _, _ := newBadgerRig(t)
	alice, bob := r.newOwner(wire.QueueSettings{}), r.newOwner(wire.QueueSettings{})
	g := r.newGroup(alice, bob)
	for n := range 20 {
		g.send(long(fmt.Sprint("message ", n), 100*n+20))
	}
	r.restart()
	g.send("after a restart")
	for _, o := range []*owner{alice, bob} {
		items := o.read()
		if len(items) != 21 || items[20].message != "after a restart" || items[7].message != long("message 7", 720) {
			t.Fatalf("read %d messages", len(items))
		}
		o.ack(items)
		o.wantMessages()
		if o == bob && len(bob.payload(items[19].item)) != 0 {
			t.Error("the payload stays after both gave their tickets back")
		}
	}
	r.must(r.service.Maintain(r.ctx))
}
