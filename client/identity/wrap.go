package identity

import (
	"io"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

const wrapLabel = "pseudods 1.0 SealedLinkKey"

// Wrap seals the link key of a pseudonym for those who have wrap, a key of
// [wire.LinkWrapSize] octets that a user gives to all contacts: a KeyPackage
// carries the result, see [wire.ExtensionLinkKey]. It fails only if rand does.
func Wrap(rand io.Reader, wrap secret.Bytes, p *Pseudonym) (*wire.SealedLinkKey, error) {
	sealed, err := seal.SealNonced(rand, wrap, p.LinkKey.Reveal(), append([]byte(wrapLabel), p.Credential.Client[:]...))
	if err != nil {
		return nil, err
	}
	return (*wire.SealedLinkKey)(sealed), nil
}

// Unwrap opens what [Wrap] made for the client of a pseudonymous credential. It
// fails with [ErrLink].
func Unwrap(wrap secret.Bytes, client wire.Pseudonym, sealed *wire.SealedLinkKey) (LinkKey, error) {
	key, err := seal.OpenNonced(wrap, sealed[:], append([]byte(wrapLabel), client[:]...))
	if err != nil {
		return LinkKey{}, ErrLink
	}
	return LinkKey{Bytes: secret.New(key)}, nil
}
