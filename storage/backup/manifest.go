package backup

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/pseudods/pseudods/internal/tlscodec"
)

// The errors of a backup that cannot be used.
var (
	// ErrMalformed: this is no backup, or one of a later version.
	ErrMalformed = errors.New("backup: malformed")
	// ErrTruncated: the end is missing.
	ErrTruncated = errors.New("backup: truncated")
	// ErrDamaged: a checksum does not fit.
	ErrDamaged = errors.New("backup: damaged")
	// ErrForeign: a backup of another kind of store.
	ErrForeign = errors.New("backup: of another kind of store")
	// ErrChain: a full backup is missing, or an increment does not follow the
	// backup before it.
	ErrChain = errors.New("backup: does not follow the one before")
)

// Digest names a backup by all of its octets.
type Digest [sha256.Size]byte

// Lineage names one life of a store: a restored one begins another, so that no
// increment follows a backup across a restore.
type Lineage [16]byte

// MaxNote is how many octets a note has at most.
const MaxNote = 3 << 10

// Manifest says what a backup is of.
type Manifest struct {
	// Format and Version are those of the store's records.
	Format  string
	Version uint32
	Lineage Lineage
	// Batch is the number of the last batch that it contains.
	Batch uint64
	// Position is where in the engine's own count an increment goes on.
	Position uint64
	// Restores is how often the store was replaced by an older copy of itself.
	Restores uint32
	// Fenced tells that the store has a fence, with Fence for an identifier and
	// Note as its newest note.
	Fenced bool
	Fence  [16]byte
	Note   []byte
	// Base is the digest of the backup that this one is an increment of, zero
	// for a full one.
	Base Digest
}

// Full reports whether it is that of a full backup.
func (m *Manifest) Full() bool { return m.Base == Digest{} }

// MarshalTLS encodes m.
func (m *Manifest) MarshalTLS(w *tlscodec.Writer) {
	w.Opaque8([]byte(m.Format))
	w.Uint32(m.Version)
	w.Raw(m.Lineage[:])
	w.Uint64(m.Batch)
	w.Uint64(m.Position)
	w.Uint32(m.Restores)
	w.Bool(m.Fenced)
	if m.Fenced {
		w.Raw(m.Fence[:])
		w.Opaque16(m.Note)
	}
	w.Raw(m.Base[:])
	if err := m.check(); err != nil {
		w.Fail(err)
	}
}

// UnmarshalTLS decodes m.
func (m *Manifest) UnmarshalTLS(r *tlscodec.Reader) {
	*m = Manifest{Format: string(r.Opaque8()), Version: r.Uint32()}
	copy(m.Lineage[:], r.Fixed(len(m.Lineage)))
	m.Batch, m.Position, m.Restores = r.Uint64(), r.Uint64(), r.Uint32()
	if m.Fenced = r.Bool(); m.Fenced {
		copy(m.Fence[:], r.Fixed(len(m.Fence)))
		m.Note = bytes.Clone(r.Opaque16())
	}
	copy(m.Base[:], r.Fixed(len(m.Base)))
	if err := m.check(); err != nil && r.Err() == nil {
		r.Fail(err)
	}
}

func (m *Manifest) check() error {
	if m.Format == "" || len(m.Format) > 64 || len(m.Note) > MaxNote || !m.Fenced && len(m.Note) > 0 {
		return fmt.Errorf("%w: manifest", tlscodec.ErrValue)
	}
	return nil
}

func (m *Manifest) marshal() ([]byte, error) {
	var w tlscodec.Writer
	m.MarshalTLS(&w)
	return w.Bytes()
}

// parseManifest fails with [ErrMalformed].
func parseManifest(b []byte) (*Manifest, error) {
	r := tlscodec.NewReader(b, tlscodec.Limits{})
	m := new(Manifest)
	m.UnmarshalTLS(r)
	if err := r.Finish(); err != nil {
		return nil, fmt.Errorf("%w: manifest: %w", ErrMalformed, err)
	}
	return m, nil
}

// Follows fails with [ErrChain] unless a backup with this manifest is an
// increment of prev.
func (m *Manifest) Follows(prev *Backup) error {
	if m.Base != prev.Digest || m.Lineage != prev.Lineage || m.Batch < prev.Batch || m.Position < prev.Position {
		return ErrChain
	}
	return nil
}

// Fingerprint stands for a key in an increment of the backup with the digest,
// which nobody knows who chooses keys: two keys of one fingerprint are chance.
func Fingerprint(base Digest, key []byte) (f [8]byte) {
	h := sha256.New()
	h.Write(base[:])
	h.Write(key)
	copy(f[:], h.Sum(nil))
	return f
}

// Backup is what is known of a whole backup.
type Backup struct {
	Manifest
	// Records are those in it, Kept those that it only names. Together they are
	// the store's.
	Records, Kept uint64
	// Octets are those of all keys and values in it.
	Octets uint64
	Digest Digest
}
