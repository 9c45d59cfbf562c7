package mls

import (
	"fmt"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
)

// Welcome invites the members that a commit added (RFC 9420, Section 12.4.3.1).
type Welcome struct {
	CipherSuite        CipherSuite
	Secrets            []EncryptedGroupSecrets
	EncryptedGroupInfo []byte
}

// EncryptedGroupSecrets is a newcomer's part of a [Welcome].
type EncryptedGroupSecrets struct {
	NewMember             KeyPackageRef
	EncryptedGroupSecrets HPKECiphertext
}

// MarshalTLS encodes e.
func (e *EncryptedGroupSecrets) MarshalTLS(w *tlscodec.Writer) {
	w.Opaque(e.NewMember)
	e.EncryptedGroupSecrets.MarshalTLS(w)
}

// UnmarshalTLS decodes e.
func (e *EncryptedGroupSecrets) UnmarshalTLS(r *tlscodec.Reader) {
	e.NewMember = r.Opaque()
	e.EncryptedGroupSecrets.UnmarshalTLS(r)
}

// MarshalTLS encodes m.
func (m *Welcome) MarshalTLS(w *tlscodec.Writer) {
	w.Uint16(uint16(m.CipherSuite))
	writeVector(w, m.Secrets)
	w.Opaque(m.EncryptedGroupInfo)
}

// UnmarshalTLS decodes m.
func (m *Welcome) UnmarshalTLS(r *tlscodec.Reader) {
	m.CipherSuite = CipherSuite(r.Uint16())
	m.Secrets = readVector[EncryptedGroupSecrets](r)
	m.EncryptedGroupInfo = r.Opaque()
}

// GroupSecrets is what a newcomer's part of a Welcome encrypts (RFC 9420,
// Section 12.4.3.1).
type GroupSecrets struct {
	JoinerSecret secret.Bytes
	PathSecret   secret.Bytes // zero if the commit had no path
	PSKs         []PreSharedKeyID
}

// MarshalTLS encodes g.
func (g *GroupSecrets) MarshalTLS(w *tlscodec.Writer) {
	w.Opaque(g.JoinerSecret.Reveal())
	w.Bool(!g.PathSecret.IsZero())
	if !g.PathSecret.IsZero() {
		w.Opaque(g.PathSecret.Reveal())
	}
	writeVector(w, g.PSKs)
}

// UnmarshalTLS decodes g.
func (g *GroupSecrets) UnmarshalTLS(r *tlscodec.Reader) {
	*g = GroupSecrets{JoinerSecret: secret.Clone(r.Opaque())}
	if r.Bool() {
		g.PathSecret = secret.Clone(r.Opaque())
	}
	g.PSKs = readVector[PreSharedKeyID](r)
}

// Seal encrypts g for the owner of a KeyPackage (RFC 9420, Section 12.4.3.1).
func (g *GroupSecrets) Seal(s *Suite, initKey, encryptedGroupInfo []byte) (HPKECiphertext, error) {
	b, err := Marshal(g)
	if err != nil {
		return HPKECiphertext{}, err
	}
	defer clear(b)
	return s.EncryptWithLabel(initKey, "Welcome", encryptedGroupInfo, b)
}

// OpenGroupSecrets is the newcomer's side of [GroupSecrets.Seal]. It fails with
// [ErrDecrypt], or with [ErrMalformed] if what opens is not a GroupSecrets.
func (m *Welcome) OpenGroupSecrets(s *Suite, initKey HPKEPrivateKey, e *EncryptedGroupSecrets) (*GroupSecrets, error) {
	b, err := s.DecryptWithLabel(initKey, "Welcome", m.EncryptedGroupInfo, e.EncryptedGroupSecrets)
	if err != nil {
		return nil, fmt.Errorf("group secrets: %w", err)
	}
	g := new(GroupSecrets)
	if err := Unmarshal(b, g); err != nil {
		return nil, err
	}
	return g, nil
}

func welcomeKeyNonce(s *Suite, welcomeSecret secret.Bytes) (key, nonce []byte) {
	return s.ExpandWithLabel(welcomeSecret, "key", nil, s.keySize).Reveal(),
		s.ExpandWithLabel(welcomeSecret, "nonce", nil, nonceSize).Reveal()
}

// SealGroupInfo encrypts g for all newcomers of a Welcome (RFC 9420, Section
// 12.4.3.1).
func SealGroupInfo(s *Suite, welcomeSecret secret.Bytes, g *GroupInfo) ([]byte, error) {
	b, err := Marshal(g)
	if err != nil {
		return nil, err
	}
	key, nonce := welcomeKeyNonce(s, welcomeSecret)
	return s.Seal(key, nonce, nil, b), nil
}

// OpenGroupInfo is the newcomer's side of [SealGroupInfo]. It fails with
// [ErrDecrypt] or [ErrMalformed].
func (m *Welcome) OpenGroupInfo(s *Suite, welcomeSecret secret.Bytes) (*GroupInfo, error) {
	key, nonce := welcomeKeyNonce(s, welcomeSecret)
	b, err := s.Open(key, nonce, nil, m.EncryptedGroupInfo)
	if err != nil {
		return nil, fmt.Errorf("GroupInfo of a Welcome: %w", err)
	}
	g := new(GroupInfo)
	if err := Unmarshal(b, g); err != nil {
		return nil, err
	}
	return g, nil
}
