package bench

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/tree"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/badger"
)

// peer stores as other delivery services do: a copy of a message for each
// recipient, and all of a group in one encrypted record. It stands on the same
// storage kernel.
type peer struct {
	db   *badger.DB
	next atomic.Uint64
	*sealer

	spending sync.Mutex // held while a token is looked up and noted
}

func (e *env) newPeer() (*peer, func(), error) {
	dir, remove, err := e.tempDir()
	if err != nil {
		return nil, nil, err
	}
	db, err := badger.Open(badger.Config{Dir: filepath.Join(dir, "peer"), Format: badger.Format{Name: "peer", Version: 1}})
	if err != nil {
		remove()
		return nil, nil, err
	}
	sealer, err := newSealer()
	if err != nil {
		return nil, nil, err
	}
	return &peer{db: db, sealer: sealer}, func() { db.Close(); remove() }, nil
}

// sealer encrypts the blobs of groups.
type sealer struct{ aead cipher.AEAD }

func newSealer() (*sealer, error) {
	block, err := aes.NewCipher(random(32))
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	return &sealer{aead}, err
}

func (s *sealer) seal(blob []byte) []byte {
	nonce := random(s.aead.NonceSize())
	return s.aead.Seal(nonce, nonce, blob, nil)
}

func (s *sealer) open(sealed []byte) ([]byte, error) {
	n := s.aead.NonceSize()
	if len(sealed) < n {
		return nil, errors.New("no blob")
	}
	return s.aead.Open(nil, sealed[:n], sealed[n:], nil)
}

// put writes one record in a synced transaction of its own.
func (p *peer) put(ctx context.Context, key, value []byte) error {
	return p.db.Submit(ctx, func(tx *badger.Tx) error {
		tx.Put(key, value)
		return nil
	})
}

// copies stores a copy of a message for each recipient.
func (p *peer) copies(ctx context.Context, group, recipients int, payload []byte) error {
	n := p.next.Add(1)
	for i := range recipients {
		key := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32([]byte("q"), uint32(group)), uint32(i))
		if err := p.put(ctx, binary.BigEndian.AppendUint64(key, n), append([]byte(nil), payload...)); err != nil {
			return err
		}
	}
	return nil
}

// chunk is what one record of a blob holds: the kernel bounds records.
const chunk = 256 << 10

// save encrypts a group's blob and writes it, in one transaction.
func (p *peer) save(ctx context.Context, group int, blob []byte) error {
	sealed := p.seal(blob)
	return p.db.Submit(ctx, func(tx *badger.Tx) error {
		for i := 0; i*chunk < len(sealed); i++ {
			tx.Put(blobKey(group, i), sealed[i*chunk:min((i+1)*chunk, len(sealed))])
		}
		return nil
	})
}

func blobKey(group, part int) []byte {
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint32([]byte("g"), uint32(group)), uint16(part))
}

// load reads a group's blob and decrypts it.
func (p *peer) load(group int) ([]byte, error) {
	var sealed []byte
	for i := 0; ; i++ {
		part, err := p.db.Get(blobKey(group, i))
		if errors.Is(err, badger.ErrNotFound) {
			break
		}
		if err != nil {
			return nil, err
		}
		sealed = append(sealed, part...)
		if len(part) < chunk {
			break
		}
	}
	return p.open(sealed)
}

// blob is all of a group: the tree, and for each member where its messages go.
func (c *crowd) blob() ([]byte, error) {
	nodes, err := c.group.Export()
	if err != nil {
		return nil, err
	}
	encoded, err := mls.Marshal(&nodes)
	if err != nil {
		return nil, err
	}
	for range c.group.Tree().Members() {
		address := wire.QueueAddress{Domain: qsDomain, Sealed: wire.SealedAddress{Kind: wire.AddressBound, KEMOutput: random(32),
			Ciphertext: random(wire.AddressCiphertextSize)}}
		b, err := mls.Marshal(&address)
		if err != nil {
			return nil, err
		}
		encoded = append(encoded, b...)
	}
	return encoded, nil
}

// message handles an application message: the group's blob is opened to find the
// recipients and sealed again, as its state may have changed, and each recipient
// gets a copy.
func (p *peer) message(ctx context.Context, group, recipients int, payload []byte) error {
	blob, err := p.load(group)
	if err != nil {
		return err
	}
	if err := p.save(ctx, group, blob); err != nil {
		return err
	}
	return p.copies(ctx, group, recipients, payload)
}

// commit handles a commit of a group that is one blob: the tree is decoded, its
// hashes are computed, and the whole is written again. What a commit changes in
// it is left out.
func (p *peer) commit(ctx context.Context, group int, suite *mls.Suite, id wire.GroupID, treeSize int) error {
	blob, err := p.load(group)
	if err != nil {
		return err
	}
	var nodes mls.RatchetTree
	if err := mls.Unmarshal(blob[:treeSize], &nodes); err != nil {
		return err
	}
	if _, err := tree.Build(tree.ImportConfig{Suite: suite, GroupID: id[:]}, nodes); err != nil {
		return err
	}
	encoded, err := mls.Marshal(&nodes)
	if err != nil {
		return err
	}
	return p.save(ctx, group, append(encoded, blob[treeSize:]...))
}
