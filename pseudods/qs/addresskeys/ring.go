// Package addresskeys keeps the keys to which queue owners seal addresses. They
// lie in a directory of their own, outside the queue store, so that a copy of
// the store opens no address.
//
// A new key comes each period. The one before it opens addresses for a lifetime
// more, in which owners replace them, and is then deleted: from then on nobody
// opens those addresses, also not with what was recorded before.
//
// Whoever reads the directory can at most open the addresses that delivery
// services hold, and so tell which members of their groups share a queue, as
// long as the keys live; and fetch or discard payloads, which are encrypted, of
// which they know the identifiers. Whoever writes it can besides choose the keys
// and make all addresses useless.
package addresskeys

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pseudods/pseudods/internal/filelock"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// The errors of this package.
var (
	// ErrFile: a file that is not a key file of this package.
	ErrFile = errors.New("addresskeys: malformed key file")
	// ErrMode: others than the owner have access to the directory or a file.
	ErrMode = errors.New("addresskeys: permissions are wider than the owner's")
)

// Config of a [Ring].
type Config struct {
	// Dir holds the key files. It is made with mode 0700 if absent; its parent
	// must exist.
	Dir string
	// KEM of new keys. Default X25519.
	KEM wire.KEM
	// Period is how long addresses are sealed to one key. Default 30 days.
	Period time.Duration
	// Lifetime is how long a key still opens addresses after its period.
	// Default 180 days.
	Lifetime time.Duration
}

func (c *Config) validate() error {
	if c.Dir == "" {
		return errors.New("addresskeys: no directory")
	}
	if c.KEM == 0 {
		c.KEM = wire.X25519
	}
	if c.Period == 0 {
		c.Period = 30 * 24 * time.Hour
	}
	if c.Lifetime == 0 {
		c.Lifetime = 180 * 24 * time.Hour
	}
	if c.Period < time.Second || c.Lifetime < 0 {
		return errors.New("addresskeys: period or lifetime too short")
	}
	return nil
}

// Ring is the keys of a directory. Its methods may be called concurrently, and
// several processes may have a ring of one directory: one of them makes the next
// key, and the others have it from the first address on that is sealed to it.
type Ring struct {
	config Config
	ticket secret.Bytes
	keys   atomic.Pointer[keys]

	// mu is held while the directory is read or changed.
	mu sync.Mutex
}

type key struct {
	*seal.PrivateKey
	start time.Time // in whole seconds
}

// keys is immutable.
type keys struct {
	byID    map[wire.AddressKeyID]*key
	ordered []*key    // newest first
	at      time.Time // when the directory had last changed before it was read
}

const (
	temporary  = ".new-"
	suffix     = ".key"
	ticketName = "ticket" + suffix
	pemAddress = "PSEUDODS ADDRESS KEY"
	pemTicket  = "PSEUDODS TICKET KEY"
	maxFile    = 4 << 10
)

// Open reads the directory and makes what is missing, as [Ring.Advance] does.
func Open(c Config, now time.Time) (*Ring, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	if err := os.Mkdir(c.Dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	r := &Ring{config: c}
	if err := r.checkMode(c.Dir); err != nil {
		return nil, err
	}
	lock, err := filelock.WaitDir(r.config.Dir)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(r.openTicketKey(), lock.Close()); err != nil {
		return nil, err
	}
	return r, r.Advance(now)
}

func (r *Ring) path(name string) string { return filepath.Join(r.config.Dir, name) }

func (r *Ring) openTicketKey() error {
	b, _, err := r.read(ticketName, pemTicket)
	if errors.Is(err, fs.ErrNotExist) {
		b = make([]byte, 32)
		rand.Read(b)
		err = r.write(ticketName, &pem.Block{Type: pemTicket, Bytes: b})
	}
	if err == nil && len(b) != 32 {
		err = fmt.Errorf("%w: %s", ErrFile, ticketName)
	}
	r.ticket = secret.New(b)
	return err
}

// TicketKey authenticates the tickets of payloads: 32 octets.
func (r *Ring) TicketKey() secret.Bytes { return r.ticket }

// Key returns the key of an identifier, or nil if there is none (any more).
func (r *Ring) Key(id wire.AddressKeyID) *seal.PrivateKey {
	k := r.keys.Load().byID[id]
	if k == nil {
		k = r.look(id)
	}
	if k == nil {
		return nil
	}
	return k.PrivateKey
}

// look looks for a key that another process may have made: an address that does
// not open is given up for good.
func (r *Ring) look(id wire.AddressKeyID) *key {
	if info, err := os.Stat(r.config.Dir); err != nil || info.ModTime().Equal(r.keys.Load().at) {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	live := &keys{at: r.changed()}
	var err error
	if live.ordered, err = r.load(false); err != nil {
		return nil
	}
	r.use(live)
	return live.byID[id]
}

// settled is how long ago the directory must have changed for the time of that to
// tell the next change from it.
const settled = 100 * time.Millisecond

// changed returns when the directory last changed, or zero if that is too short ago.
func (r *Ring) changed() time.Time {
	info, err := os.Stat(r.config.Dir)
	if err != nil || time.Since(info.ModTime()) < settled {
		return time.Time{}
	}
	return info.ModTime()
}

// use makes keys those of the ring.
func (r *Ring) use(live *keys) {
	slices.SortFunc(live.ordered, func(a, b *key) int { return b.start.Compare(a.start) })
	live.byID = make(map[wire.AddressKeyID]*key, len(live.ordered))
	for _, k := range live.ordered {
		live.byID[k.Public().ID()] = k
	}
	r.keys.Store(live)
}

// Published returns the keys that open addresses, the one to seal to first.
func (r *Ring) Published() wire.AddressKeys {
	var out wire.AddressKeys
	for _, k := range r.keys.Load().ordered {
		until := k.start.Add(r.config.Period)
		out = append(out, wire.AddressKey{Key: *k.Public(), SealUntil: uint64(until.Unix()), OpenUntil: uint64(until.Add(r.config.Lifetime).Unix())})
	}
	return out
}

// Longest returns how long an address opens at most.
func (r *Ring) Longest() time.Duration { return r.config.Period + r.config.Lifetime }

// Advance reads the directory, deletes the keys whose time is over, and makes a
// new one if the newest one's period is. Call it at least once in a period, and
// after another program has rotated. A crash in between leaves a directory from
// which the same call goes on.
func (r *Ring) Advance(now time.Time) error { return r.advance(now, false, false) }

// Rotate makes a new key ahead of time. If the others are compromised they are
// deleted: the addresses that were sealed to them are dead at once.
func (r *Ring) Rotate(now time.Time, compromised bool) error {
	return r.advance(now, true, compromised)
}

func (r *Ring) advance(now time.Time, rotate, compromised bool) (err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	lock, err := filelock.WaitDir(r.config.Dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	all, err := r.load(true)
	if err != nil {
		return err
	}
	live := new(keys)
	start := now.Truncate(time.Second)
	for _, k := range all {
		if !start.After(k.start) { // the new key is the newest, also within one second
			start = k.start.Add(time.Second)
		}
		if compromised || !now.Before(k.start.Add(r.Longest())) {
			if err := r.remove(k); err != nil {
				return err
			}
			continue
		}
		live.ordered = append(live.ordered, k)
	}
	slices.SortFunc(live.ordered, func(a, b *key) int { return b.start.Compare(a.start) })
	if rotate || len(live.ordered) == 0 || !now.Before(live.ordered[0].start.Add(r.config.Period)) {
		k, err := r.generate(start)
		if err != nil {
			return err
		}
		live.ordered = slices.Insert(live.ordered, 0, k)
	}
	live.at = r.changed()
	r.use(live)
	return nil
}

func (r *Ring) generate(start time.Time) (*key, error) {
	private, err := seal.GenerateKey(r.config.KEM)
	if err != nil {
		return nil, err
	}
	content, err := private.Marshal()
	if err != nil {
		return nil, err
	}
	k := &key{private, start}
	return k, r.write(fileName(k), &pem.Block{Type: pemAddress, Bytes: content.Reveal(), Headers: map[string]string{
		"Kem": strconv.Itoa(int(r.config.KEM)), "Not-Before": strconv.FormatInt(k.start.Unix(), 10)}})
}

func fileName(k *key) string {
	id := k.Public().ID()
	return hex.EncodeToString(id[:]) + suffix
}

// load reads all keys, and sweeps what interrupted writes left if the directory is
// locked.
func (r *Ring) load(locked bool) (out []*key, err error) {
	files, err := os.ReadDir(r.config.Dir)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		name := f.Name()
		switch {
		case strings.HasPrefix(name, temporary):
			if !locked {
				continue
			}
			if err := os.Remove(r.path(name)); err != nil {
				return nil, err
			}
		case name == ticketName:
		case strings.HasSuffix(name, suffix):
			k, err := r.readKey(name)
			if err != nil {
				return nil, err
			}
			out = append(out, k)
		}
	}
	return out, nil
}

func (r *Ring) readKey(name string) (*key, error) {
	content, headers, err := r.read(name, pemAddress)
	if err != nil {
		return nil, err
	}
	k, err := parse(content, headers)
	if err == nil && fileName(k) != name {
		err = ErrFile
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, name)
	}
	return k, nil
}

func parse(content []byte, headers map[string]string) (*key, error) {
	kem, kemErr := strconv.ParseUint(headers["Kem"], 10, 16)
	start, startErr := strconv.ParseInt(headers["Not-Before"], 10, 64)
	private, keyErr := seal.ParseKey(wire.KEM(kem), secret.New(content))
	if len(headers) != 2 || kemErr != nil || startErr != nil || keyErr != nil {
		return nil, ErrFile
	}
	return &key{private, time.Unix(start, 0)}, nil
}

func parsePEM(b []byte, kind string) (content []byte, headers map[string]string, err error) {
	block, rest := pem.Decode(b)
	if block == nil || block.Type != kind || len(bytes.TrimSpace(rest)) > 0 {
		return nil, nil, ErrFile
	}
	return block.Bytes, block.Headers, nil
}
