package server

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// The secrets of moderation. Moderation keys and verdict keys are numbered from 1:
// the highest is in use, those before it open what was sealed to them, and have
// signed what is on its way.
const (
	docketFile      = "docket.secret" // moderation.Config.Secret
	moderationFiles = "moderation-%04d.secret"
	verdictFiles    = "verdict-%04d.secret"
)

// numbered returns the names of the secrets of one kind, newest first, of which there
// is always one.
func numbered(dir daemon.Dir, kind string) ([]string, error) {
	files, err := filepath.Glob(dir.Path(kind[:len(kind)-len("%04d.secret")] + "*.secret"))
	if err != nil {
		return nil, err
	}
	for i := range files {
		files[i] = filepath.Base(files[i])
	}
	if len(files) == 0 {
		files = []string{fmt.Sprintf(kind, 1)}
	}
	slices.Sort(files)
	slices.Reverse(files)
	return files, nil
}

func secretsOf[T any](dir daemon.Dir, kind string, parse func(secret.Bytes) (T, error)) (out []T, err error) {
	files, err := numbered(dir, kind)
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		s, err := dir.Secret(file)
		if err != nil {
			return nil, err
		}
		k, err := parse(s)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		out = append(out, k)
	}
	return out, nil
}

func parseModerationKey(s secret.Bytes) (*seal.PrivateKey, error) {
	return seal.ParseKey(wire.X25519, s)
}

func parseVerdictKey(s secret.Bytes) (ed25519.PrivateKey, error) {
	return ed25519.NewKeyFromSeed(s.Reveal()), nil
}

// ModerationKeyFile makes a moderation key in a new file, for operators who keep it
// away from the server, and returns the public half for the configuration's
// moderation.public_key.
func ModerationKeyFile(path string) (public string, err error) {
	if _, err := os.Lstat(path); err == nil {
		return "", fmt.Errorf("%s: %w", path, os.ErrExist)
	}
	if err := daemon.MakeParent(path); err != nil {
		return "", err
	}
	s, err := daemon.Dir(filepath.Dir(path)).Secret(filepath.Base(path))
	if err != nil {
		return "", err
	}
	key, err := parseModerationKey(s)
	if err != nil {
		return "", err
	}
	return moderationPublic(key.Public())
}

// moderationPublic returns a public moderation key as configurations have it: its
// encoding in base64url.
func moderationPublic(k *wire.HPKEKey) (string, error) {
	b, err := mls.Marshal(k)
	return base64.URLEncoding.EncodeToString(b), err
}

var errPublicKey = errors.New("moderation.public_key must be what \"pseudods reports keygen\" prints")

func parseModerationPublic(s string) (*wire.HPKEKey, error) {
	b, err := base64.URLEncoding.Strict().DecodeString(s)
	k := new(wire.HPKEKey)
	if err != nil || mls.Unmarshal(b, k) != nil || k.KEM != wire.X25519 || seal.CheckKey(k) != nil {
		return nil, errPublicKey
	}
	return k, nil
}

// ModerationKeys returns the moderation keys that are in the keys directory, newest
// first, or the one in a file, if that is named. It fails with ErrNoKeys if the
// operator keeps them elsewhere.
func (c Config) ModerationKeys(file string) ([]*seal.PrivateKey, error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	if file != "" {
		s, err := daemon.Dir(filepath.Dir(file)).ReadSecret(filepath.Base(file))
		if err != nil {
			return nil, err
		}
		k, err := parseModerationKey(s)
		return []*seal.PrivateKey{k}, err
	}
	if c.Moderation.PublicKey != "" {
		return nil, fmt.Errorf("%w: the moderation key is not here; name its file with -key", ErrNoKeys)
	}
	return secretsOf(daemon.Dir(c.Moderation.Keys), moderationFiles, parseModerationKey)
}

// openModerationKeys makes the secrets of moderation that are missing.
func (c *Config) openModerationKeys() (secrets daemon.Dir, err error) {
	for _, dir := range []string{c.Moderation.Dir, c.Moderation.Keys, c.Moderation.Fences} {
		if _, err := daemon.OpenDir(dir); err != nil {
			return "", err
		}
	}
	secrets = daemon.Dir(c.Moderation.Keys)
	if _, err := secrets.Secret(docketFile); err != nil {
		return "", err
	}
	if _, err := secretsOf(secrets, verdictFiles, parseVerdictKey); err != nil {
		return "", err
	}
	if c.Moderation.PublicKey == "" {
		_, err = secretsOf(secrets, moderationFiles, parseModerationKey)
	}
	return secrets, err
}

// ownVerdictKeys are the keys by which verdicts are signed here.
func (c *Config) ownVerdictKeys() (out []ed25519.PublicKey, err error) {
	if !c.moderates() {
		return nil, nil
	}
	secrets, err := c.openModerationKeys()
	if err != nil {
		return nil, err
	}
	keys, err := secretsOf(secrets, verdictFiles, parseVerdictKey)
	for _, k := range keys {
		out = append(out, k.Public().(ed25519.PublicKey))
	}
	return out, err
}

// moderationKeys lists the keys of moderation.
func (c *Config) moderationKeys() (out []Key, err error) {
	secrets, err := c.openModerationKeys()
	if err != nil {
		return nil, err
	}
	add := func(kind, use string, ids []string) error {
		files, err := numbered(secrets, kind)
		for i, file := range files {
			key := Key{Role: Moderation, Use: use, State: kept, ID: ids[i]}
			if i == 0 {
				key.State = inUse
			}
			if info, err := os.Stat(secrets.Path(file)); err == nil {
				key.Since = info.ModTime()
			}
			out = append(out, key)
		}
		return err
	}
	var ids []string
	if c.Moderation.PublicKey == "" {
		keys, err := secretsOf(secrets, moderationFiles, parseModerationKey)
		if err != nil {
			return nil, err
		}
		for _, k := range keys {
			id := k.Public().ID()
			ids = append(ids, hex.EncodeToString(id[:]))
		}
		if err := add(moderationFiles, "reports", ids); err != nil {
			return nil, err
		}
	} else if public, err := parseModerationPublic(c.Moderation.PublicKey); err == nil {
		id := public.ID()
		out = append(out, Key{Role: Moderation, Use: "reports", State: elsewhere, ID: hex.EncodeToString(id[:])})
	}
	verdicts, err := secretsOf(secrets, verdictFiles, parseVerdictKey)
	if err != nil {
		return nil, err
	}
	ids = nil
	for _, k := range verdicts {
		ids = append(ids, base64.URLEncoding.EncodeToString(k.Public().(ed25519.PublicKey)))
	}
	return out, add(verdictFiles, "verdicts", ids)
}

// RotateModerationKeys makes a new moderation key, unless the operator keeps it, and
// a new key to sign verdicts with. They are used from the next start. The others
// open the cases that were sealed to them.
func (c Config) RotateModerationKeys() error {
	if err := c.complete(); err != nil {
		return err
	}
	secrets, err := c.openModerationKeys()
	if err != nil {
		return err
	}
	kinds := []string{verdictFiles}
	if c.Moderation.PublicKey == "" {
		kinds = append(kinds, moderationFiles)
	}
	for _, kind := range kinds {
		files, err := numbered(secrets, kind)
		if err == nil {
			_, err = secrets.Secret(fmt.Sprintf(kind, len(files)+1))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
