package mls

import (
	"errors"
	"fmt"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
)

// The key schedule (RFC 9420, Section 8), one type per stage:
//
//	InitSecret + commit_secret -> JoinerSecret -> (+ psk_secret) EpochSecrets
//
// A newcomer enters at JoinerSecret, which its Welcome carries.

// InitSecret passes entropy from one epoch to the next.
type InitSecret struct{ secret.Bytes }

// JoinerSecret is the stage at which newcomers enter.
type JoinerSecret struct{ secret.Bytes }

// intermediate is the value that RFC 9420, Figure 22, leaves without a name.
type intermediate struct{ secret.Bytes }

// NewJoinerSecret mixes the commit secret, HashSize zero octets for a commit
// without a path, and the encoded GroupContext of the new epoch into the init
// secret.
func (s *Suite) NewJoinerSecret(init InitSecret, commitSecret secret.Bytes, groupContext []byte) JoinerSecret {
	extracted := secret.New(s.Extract(init.Reveal(), commitSecret.Reveal()))
	return JoinerSecret{s.ExpandWithLabel(extracted, "joiner", groupContext, s.HashSize())}
}

// ZeroSecret is HashSize zero octets: the commit secret of a commit without a
// path.
func (s *Suite) ZeroSecret() secret.Bytes { return secret.New(make([]byte, s.HashSize())) }

func (s *Suite) intermediate(j JoinerSecret, pskSecret secret.Bytes) intermediate {
	return intermediate{secret.New(s.Extract(j.Reveal(), pskSecret.Reveal()))}
}

// WelcomeSecret derives the secret under which a Welcome's GroupInfo is
// encrypted.
func (s *Suite) WelcomeSecret(j JoinerSecret, pskSecret secret.Bytes) secret.Bytes {
	return s.DeriveSecret(s.intermediate(j, pskSecret).Bytes, "welcome")
}

// EpochSecrets are the secrets of one epoch (RFC 9420, Table 4).
type EpochSecrets struct {
	SenderData         secret.Bytes
	Encryption         secret.Bytes
	Exporter           secret.Bytes
	External           secret.Bytes
	Confirmation       secret.Bytes
	Membership         secret.Bytes
	Resumption         secret.Bytes
	EpochAuthenticator secret.Bytes
	Init               InitSecret // of the next epoch
}

// NewEpochSecrets derives the secrets of the epoch whose encoded GroupContext
// is given.
func (s *Suite) NewEpochSecrets(j JoinerSecret, pskSecret secret.Bytes, groupContext []byte) *EpochSecrets {
	epoch := s.ExpandWithLabel(s.intermediate(j, pskSecret).Bytes, "epoch", groupContext, s.HashSize())
	return s.expandEpoch(epoch)
}

// NewGroupSecrets derives the secrets of epoch 0 from a random epoch secret of
// HashSize octets (RFC 9420, Section 11).
func (s *Suite) NewGroupSecrets(epochSecret secret.Bytes) *EpochSecrets {
	return s.expandEpoch(epochSecret)
}

func (s *Suite) expandEpoch(epoch secret.Bytes) *EpochSecrets {
	return &EpochSecrets{
		SenderData:         s.DeriveSecret(epoch, "sender data"),
		Encryption:         s.DeriveSecret(epoch, "encryption"),
		Exporter:           s.DeriveSecret(epoch, "exporter"),
		External:           s.DeriveSecret(epoch, "external"),
		Confirmation:       s.DeriveSecret(epoch, "confirm"),
		Membership:         s.DeriveSecret(epoch, "membership"),
		Resumption:         s.DeriveSecret(epoch, "resumption"),
		EpochAuthenticator: s.DeriveSecret(epoch, "authentication"),
		Init:               InitSecret{s.DeriveSecret(epoch, "init")},
	}
}

// ExternalKeyPair derives the key pair to which external committers encrypt
// (RFC 9420, Section 8.3).
func (s *Suite) ExternalKeyPair(e *EpochSecrets) (HPKEPrivateKey, []byte, error) {
	return s.DeriveKeyPair(e.External)
}

// Export derives length octets for an application from the exporter secret
// (RFC 9420, Section 8.5: MLS-Exporter). It fails with [ErrExportLength] if
// length is not between 1 and 255 times HashSize.
func (s *Suite) Export(exporter secret.Bytes, label string, context []byte, length int) (secret.Bytes, error) {
	if length < 1 || length > 255*s.HashSize() {
		return secret.Bytes{}, fmt.Errorf("%w: %d", ErrExportLength, length)
	}
	return s.ExpandWithLabel(s.DeriveSecret(exporter, label), "exported", s.Hash(context), length), nil
}

// ErrExportLength: an export longer than HKDF can give, or empty.
var ErrExportLength = errors.New("mls: export length out of range")

// ErrConfirmationTag: a commit or GroupInfo has a wrong confirmation tag, so
// its sender derived other secrets.
var ErrConfirmationTag = errors.New("mls: confirmation tag does not verify")

// ConfirmationTag authenticates the transcript of an epoch (RFC 9420, Section
// 6.1).
func (s *Suite) ConfirmationTag(e *EpochSecrets, confirmedTranscriptHash []byte) []byte {
	return s.MAC(e.Confirmation.Reveal(), confirmedTranscriptHash)
}

// VerifyConfirmationTag fails with [ErrConfirmationTag] unless tag is the one
// that [Suite.ConfirmationTag] gives. It compares in constant time.
func (s *Suite) VerifyConfirmationTag(e *EpochSecrets, confirmedTranscriptHash, tag []byte) error {
	if !s.VerifyMAC(e.Confirmation.Reveal(), confirmedTranscriptHash, tag) {
		return ErrConfirmationTag
	}
	return nil
}

// ConfirmedTranscriptHash hashes a commit into the transcript (RFC 9420,
// Section 8.2). interimBefore is the interim hash of the epoch that a ends.
func (s *Suite) ConfirmedTranscriptHash(interimBefore []byte, a *AuthenticatedContent) ([]byte, error) {
	var w tlscodec.Writer
	w.Raw(interimBefore)
	w.Uint16(uint16(a.WireFormat))
	a.Content.MarshalTLS(&w)
	w.Opaque(a.Signature)
	b, err := w.Bytes()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEncode, err)
	}
	return s.Hash(b), nil
}

// InterimTranscriptHash closes the transcript of an epoch with its confirmation
// tag (RFC 9420, Section 8.2). Epoch 0 has a tag too, over an empty confirmed
// hash.
func (s *Suite) InterimTranscriptHash(confirmed, confirmationTag []byte) []byte {
	var w tlscodec.Writer
	w.Raw(confirmed)
	w.Opaque(confirmationTag)
	b, err := w.Bytes()
	if err != nil {
		panic("mls: confirmation tag has no encoding")
	}
	return s.Hash(b)
}
