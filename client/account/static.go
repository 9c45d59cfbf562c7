package account

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"

	"github.com/pseudods/pseudods/client/identity"
	"github.com/pseudods/pseudods/client/vault"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// Names of records.
const (
	recordStatic    = "account"
	recordStatus    = "status"
	recordCursor    = "cursor"
	prefixKeys      = "keys/"    // sets of KeyPackages
	prefixAddresses = "address/" // addresses that groups use
	prefixContacts  = "contact/" // by name
	prefixPins      = "pin/"     // by credential
	prefixFormer    = "former/"  // by identity key
	recordSelf      = "device"   // this client among the user's
	prefixDevices   = "devices/" // the user's other clients, by identifier
)

// static is what never changes: it is drawn whole and saved before anything is
// sent, so that whatever a crash interrupts is done again with the same keys.
// Queue and pools are named by theirs.
type static struct {
	identity   *identity.Identity
	domain     string
	suite      mls.CipherSuite
	linkWrap   secret.Bytes
	queueKey   *mls.SignatureKey
	segmentKey *seal.PrivateKey
	offerKey   *seal.PrivateKey
	poolKeys   [2]*mls.SignatureKey // by poolIndex
}

// pools are the kinds of pools, in the order of their records.
var pools = [2]wire.PoolKind{wire.PoolGroup, wire.PoolConnection}

func poolIndex(k wire.PoolKind) int {
	if k == wire.PoolGroup {
		return 0
	}
	return 1
}

func (s *static) queue() wire.QueueID { return wire.QueueIDOf(s.queueKey.Public()) }

func (s *static) pool(k wire.PoolKind) wire.PoolID {
	return wire.PoolIDOf(s.poolKeys[poolIndex(k)].Public())
}

// StoredKey returns the public identity key of the account in a vault, which may be
// one that Create has begun and could not finish. It fails with [ErrNoAccount] or
// [ErrRecord].
func StoredKey(v *vault.Vault) (ed25519.PublicKey, error) {
	s := new(static)
	if err := load(v, recordStatic, s); isNotFound(err) {
		return nil, ErrNoAccount
	} else if err != nil {
		return nil, err
	}
	return s.identity.Key.Public(), nil
}

// newStatic draws the keys of an account.
func newStatic(cfg *Config, name, domain string) (*static, error) {
	s := &static{domain: domain, suite: cfg.Suite}
	var err error
	if s.identity, err = identity.New(mls.BasicCredential([]byte(name)), cfg.Rand); err != nil {
		return nil, err
	}
	wrap := make([]byte, wire.LinkWrapSize)
	if _, err := io.ReadFull(cfg.Rand, wrap); err != nil {
		return nil, err
	}
	s.linkWrap = secret.New(wrap)
	for _, k := range []**mls.SignatureKey{&s.queueKey, &s.poolKeys[0], &s.poolKeys[1]} {
		if *k, err = plainSuite().GenerateSignatureKey(cfg.Rand); err != nil {
			return nil, err
		}
	}
	if s.segmentKey, err = seal.GenerateKey(cfg.SegmentKEM); err != nil {
		return nil, err
	}
	s.offerKey, err = seal.GenerateKey(wire.X25519)
	return s, err
}

// MarshalTLS encodes s.
func (s *static) MarshalTLS(w *tlscodec.Writer) {
	s.identity.Credential.MarshalTLS(w)
	writeEd25519(w, s.identity.Key)
	w.Opaque([]byte(s.domain))
	w.Uint16(uint16(s.suite))
	w.Raw(s.linkWrap.Reveal())
	writeEd25519(w, s.queueKey)
	writeHPKE(w, s.segmentKey)
	writeHPKE(w, s.offerKey)
	for _, k := range s.poolKeys {
		writeEd25519(w, k)
	}
}

// UnmarshalTLS decodes s.
func (s *static) UnmarshalTLS(r *tlscodec.Reader) {
	*s = static{identity: new(identity.Identity)}
	s.identity.Credential.UnmarshalTLS(r)
	s.identity.Key = readEd25519(r)
	s.domain = string(r.Opaque())
	s.suite = mls.CipherSuite(r.Uint16())
	s.linkWrap = secret.Clone(r.Fixed(wire.LinkWrapSize))
	s.queueKey = readEd25519(r)
	s.segmentKey = readHPKE(r)
	s.offerKey = readHPKE(r)
	for i := range s.poolKeys {
		s.poolKeys[i] = readEd25519(r)
	}
}

func writeHPKE(w *tlscodec.Writer, k *seal.PrivateKey) {
	private, err := k.Marshal()
	if err != nil {
		w.Fail(err)
	}
	w.Uint16(uint16(k.Public().KEM))
	w.Opaque8(private.Reveal())
}

func readHPKE(r *tlscodec.Reader) *seal.PrivateKey {
	kem, private := wire.KEM(r.Uint16()), secret.Clone(r.Opaque8())
	if r.Err() != nil {
		return nil
	}
	k, err := seal.ParseKey(kem, private)
	if err != nil {
		r.Fail(tlscodec.ErrValue)
	}
	return k
}

// save puts a record.
func save(s store, name string, v mls.Marshaler) error {
	b, err := mls.Marshal(v)
	if err != nil {
		return err
	}
	return s.Put(name, b)
}

func (a *Account) save(name string, v mls.Marshaler) error { return save(a.store, name, v) }

// load gets a record. It fails with [vault.ErrNotFound] or [ErrRecord].
func load(s store, name string, v mls.Unmarshaler) error {
	b, err := s.Get(name)
	if err != nil {
		return err
	}
	if err := mls.UnmarshalWithin(mls.Limits{MaxBytes: vault.MaxRecord, MaxElements: 1 << 16}, b, v); err != nil {
		return fmt.Errorf("%w: %w", ErrRecord, err)
	}
	return nil
}

// loadAll gets all records of a prefix.
func loadAll(s store, prefix string, each func(name string) error) error {
	names, err := s.Names(prefix)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := each(name); err != nil {
			return err
		}
	}
	return nil
}

func isNotFound(err error) bool { return errors.Is(err, vault.ErrNotFound) }
