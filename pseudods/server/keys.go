package server

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/privacypass/issuer/host"
	"github.com/pseudods/pseudods/privacypass/keyring"
	"github.com/pseudods/pseudods/pseudods/qs/addresskeys"
)

// Key describes a key pair of a server.
type Key struct {
	Role Role
	// Use is what it is for: "signature", "addresses", "reports", "verdicts", or a
	// token class and type.
	Use string
	// State is "in use", "kept" for what was made with it, "announced", or
	// "elsewhere" for one that the operator keeps.
	State string
	// Since and Until bound its use. Until is zero if nothing ends it.
	Since, Until time.Time
	// ID is the beginning of the key's identifier, or for "verdicts" the public key
	// in base64url, which issuers elsewhere are configured with.
	ID string
}

// ErrNoKeys: the role has no keys of that kind to rotate.
var ErrNoKeys = errors.New("server: no such keys")

// MakeKeys makes the keys and secrets of the configured roles that are missing, as
// a server does when it starts.
func (c Config) MakeKeys(now time.Time) error {
	if err := c.complete(); err != nil {
		return err
	}
	if _, err := daemon.OpenDir(c.Data); err != nil {
		return err
	}
	for _, role := range c.Roles {
		var err error
		switch role {
		case DS:
			if _, err = c.openSigners(); err == nil && c.moderates() {
				_, err = c.openModerationKeys()
			}
		case QS:
			_, err = c.openAddressKeys(now)
		case Issuer:
			var ring *keyring.Ring
			if ring, err = c.openIssuerKeys(); err == nil {
				err = ring.Advance(now)
			}
		}
		if err != nil {
			return fmt.Errorf("%s: %w", role, err)
		}
	}
	return nil
}

func (c *Config) openSigners() (daemon.Dir, error) {
	_, secrets, _, err := openPlace(&c.DS.Place, &c.DS.Private)
	for _, file := range []string{nodeFile, nullifierFile} {
		if err == nil {
			_, err = secrets.Secret(file)
		}
	}
	if err == nil {
		_, err = signers(secrets)
	}
	return secrets, err
}

func (c *Config) openAddressKeys(now time.Time) (*addresskeys.Ring, error) {
	_, secrets, _, err := openPlace(&c.QS.Place, &c.QS.Private)
	if err != nil {
		return nil, err
	}
	if _, err := secrets.Secret(nullifierFile); err != nil {
		return nil, err
	}
	return addresskeys.Open(addresskeys.Config{Dir: secrets.Path(addressesDir)}, now)
}

func (c *Config) openIssuerKeys() (*keyring.Ring, error) {
	data, err := daemon.OpenDir(c.Issuer.Dir)
	if err != nil {
		return nil, err
	}
	for _, file := range []string{host.NamesFile, host.InviteFile, daemon.AdminFile} {
		if _, err := data.Secret(file); err != nil {
			return nil, err
		}
	}
	return c.Issuer.OpenRing(data)
}

// Keys lists the key pairs of the configured roles, and makes none but where there
// is nothing at all.
func (c Config) Keys(now time.Time) (out []Key, err error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	for _, role := range c.Roles {
		var some []Key
		switch role {
		case DS:
			if some, err = c.signerKeys(); err == nil && c.moderates() {
				var more []Key
				more, err = c.moderationKeys()
				some = append(some, more...)
			}
		case QS:
			some, err = c.addressKeys(now)
		case Issuer:
			some, err = c.issuanceKeys(now)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", role, err)
		}
		out = append(out, some...)
	}
	return out, nil
}

const (
	inUse     = "in use"
	kept      = "kept"
	announced = "announced"
	elsewhere = "elsewhere"
)

func (c *Config) signerKeys() (out []Key, err error) {
	secrets, err := c.openSigners()
	if err != nil {
		return nil, err
	}
	keys, err := signers(secrets)
	if err != nil {
		return nil, err
	}
	for i, k := range keys {
		id := keyID(k.Public())
		key := Key{Role: DS, Use: "signature", State: kept, ID: hex.EncodeToString(id[:8])}
		if i == 0 {
			key.State = inUse
		}
		if info, err := os.Stat(secrets.Path(signerFile(len(keys) - i))); err == nil {
			key.Since = info.ModTime()
		}
		out = append(out, key)
	}
	return out, nil
}

func (c *Config) addressKeys(now time.Time) (out []Key, err error) {
	ring, err := c.openAddressKeys(now)
	if err != nil {
		return nil, err
	}
	for i, k := range ring.Published() {
		id := k.Key.ID()
		key := Key{Role: QS, Use: "addresses", State: kept, Until: time.Unix(int64(k.OpenUntil), 0),
			Since: time.Unix(int64(k.OpenUntil), 0).Add(-ring.Longest()), ID: hex.EncodeToString(id[:])}
		if i == 0 {
			key.State = inUse
		}
		out = append(out, key)
	}
	return out, nil
}

func (c *Config) issuanceKeys(now time.Time) (out []Key, err error) {
	ring, err := c.openIssuerKeys()
	if err != nil {
		return nil, err
	}
	for _, k := range ring.All() {
		id := k.ID()
		key := Key{Role: Issuer, Use: k.Class + " " + k.TokenType().String(), State: kept, Since: k.NotBefore, ID: hex.EncodeToString(id[:8])}
		if at, known := ring.Retires(k); known {
			key.Until = at
		}
		switch {
		case k.NotBefore.After(now):
			key.State = announced
		case ring.Live(k.Slot, now)[0].ID() == k.ID():
			key.State = inUse
		}
		out = append(out, key)
	}
	return out, nil
}

// RotateSigner makes a new signature key of the delivery service, which it signs
// with when it is started next. The others stay for groups that name them.
func (c Config) RotateSigner() error {
	if err := c.complete(); err != nil {
		return err
	}
	secrets, err := c.openSigners()
	if err != nil {
		return err
	}
	files, err := filepath.Glob(secrets.Path(signerPattern))
	if err != nil {
		return err
	}
	_, err = secrets.Secret(signerFile(len(files) + 1))
	return err
}

// RotateAddressKey makes a new key for addresses of queues, which a running server
// takes up within seconds. If the others are compromised they are deleted, and the
// addresses sealed to them are dead.
func (c Config) RotateAddressKey(compromised bool, now time.Time) error {
	if err := c.complete(); err != nil {
		return err
	}
	ring, err := c.openAddressKeys(now)
	if err != nil {
		return err
	}
	return ring.Rotate(now, compromised)
}

// RotateIssuanceKeys makes new issuance keys of a class, or of all if class is
// empty. A running server takes them up within seconds. It fails with ErrNoKeys.
func (c Config) RotateIssuanceKeys(class string, how keyring.Rotation, now time.Time) (err error) {
	if err := c.complete(); err != nil {
		return err
	}
	ring, err := c.openIssuerKeys()
	if err != nil {
		return err
	}
	slots, err := c.Issuer.Slots()
	if err != nil {
		return err
	}
	found := false
	for _, slot := range slots {
		if class != "" && slot.Class != class {
			continue
		}
		found = true
		if e := ring.Rotate(slot, how, now); e != nil {
			err = errors.Join(err, fmt.Errorf("class %s, type %v: %w", slot.Class, slot.Type, e))
		}
	}
	if !found {
		return fmt.Errorf("%w: class %q", ErrNoKeys, class)
	}
	return err
}

// Invites returns the maker of the issuer's invite codes.
func (c Config) Invites() (*attester.Invites, error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	data, err := daemon.OpenDir(c.Issuer.Dir)
	if err != nil {
		return nil, err
	}
	return host.Invites(data)
}
