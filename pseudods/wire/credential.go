package wire

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
)

// PseudonymSize is the size of a [Pseudonym] in octets.
const PseudonymSize = 16

// Pseudonym stands for a client or a user in one group, and in no other.
type Pseudonym [PseudonymSize]byte

// Sizes of the content of a leaf's basic credential. A bare pseudonym is at most
// maxBare octets; a [PseudonymousCredential] is longer than that, since its
// identity link has at least minLink. So the length tells them apart.
const (
	minBare = 16
	maxBare = 128
	minLink = 128
	maxLink = 16 << 10
)

// ErrCredential: a leaf's credential is neither a [PseudonymousCredential] nor a
// bare pseudonym.
var ErrCredential = errors.New("wire: not a pseudonymous credential")

// PseudonymousCredential is the content of a leaf's basic credential. All of it
// is random per group but for the provider, which routes messages to the
// member's queue service.
type PseudonymousCredential struct {
	// Client is the client's pseudonym, User that of the user whose client it
	// is, the same at all of the user's clients in the group.
	Client, User Pseudonym
	Provider     string
	// UserAuthKey is the Ed25519 key by which any of the user's clients acts for
	// the user: adds and removes clients, rejoins.
	UserAuthKey []byte
	// IdentityLink hides the real credential, for members who hold the client's
	// link key.
	IdentityLink []byte
}

// MarshalTLS encodes c.
func (c *PseudonymousCredential) MarshalTLS(w *tlscodec.Writer) {
	if len(c.Provider) == 0 || len(c.Provider) > maxDomain || len(c.UserAuthKey) != ed25519.PublicKeySize ||
		len(c.IdentityLink) < minLink || len(c.IdentityLink) > maxLink {
		w.Fail(tlscodec.ErrEncode)
	}
	w.Raw(c.Client[:])
	w.Raw(c.User[:])
	w.Opaque([]byte(c.Provider))
	w.Opaque(c.UserAuthKey)
	w.Opaque(c.IdentityLink)
}

// UnmarshalTLS decodes c.
func (c *PseudonymousCredential) UnmarshalTLS(r *tlscodec.Reader) {
	*c = PseudonymousCredential{}
	copy(c.Client[:], r.Fixed(PseudonymSize))
	copy(c.User[:], r.Fixed(PseudonymSize))
	provider := r.Opaque()
	c.Provider = string(provider)
	c.UserAuthKey = r.Opaque()
	c.IdentityLink = r.Opaque()
	if r.Err() == nil && (len(provider) == 0 || len(provider) > maxDomain || len(c.UserAuthKey) != ed25519.PublicKeySize ||
		len(c.IdentityLink) < minLink || len(c.IdentityLink) > maxLink) {
		r.Fail(fmt.Errorf("%w: pseudonymous credential", tlscodec.ErrValue))
	}
}

// Credential returns the MLS credential that holds c, or [mls.ErrEncode].
func (c *PseudonymousCredential) Credential() (mls.Credential, error) {
	b, err := mls.Marshal(c)
	return mls.BasicCredential(b), err
}

// MemberName is what a leaf's credential says of its holder.
type MemberName struct {
	// Client and User tell members and users of one group apart. For a bare
	// pseudonym both are its octets: one client is one user. The user of an
	// account is the account, "@", and the provider.
	Client, User string
	// Provider is the provider that the credential names, "" for a bare
	// pseudonym.
	Provider string
	// Credential is nil for a bare pseudonym and for an account.
	Credential *PseudonymousCredential
}

// ParseMemberName reads a leaf's credential in a group of the given profile: a
// [PseudonymousCredential], or a bare pseudonym of 16 to 128 octets as unmodified
// MLS clients bring it; or an [AccountCredential]. It fails with [ErrCredential].
func ParseMemberName(profile Profile, c *mls.Credential) (*MemberName, error) {
	if c.Type != mls.CredentialTypeBasic || len(c.Identity) < minBare {
		return nil, ErrCredential
	}
	switch profile {
	case ProfilePseudonymous:
	case ProfileIdentified:
		a := new(AccountCredential)
		if err := mls.Unmarshal(c.Identity, a); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrCredential, err)
		}
		return &MemberName{Client: string(a.Client[:]), User: a.Account + "@" + a.Provider, Provider: a.Provider}, nil
	default:
		return nil, ErrCredential
	}
	if len(c.Identity) <= maxBare {
		return &MemberName{Client: string(c.Identity), User: string(c.Identity)}, nil
	}
	p := new(PseudonymousCredential)
	if err := mls.Unmarshal(c.Identity, p); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCredential, err)
	}
	return &MemberName{Client: string(p.Client[:]), User: string(p.User[:]), Provider: p.Provider, Credential: p}, nil
}

// AccountCredential is the content of a leaf's basic credential in a group of
// [ProfileIdentified].
type AccountCredential struct {
	// Account names the user at its provider, such as by an address. 1 to 128
	// octets of UTF-8.
	Account  string
	Provider string
	// Client is random for each of the account's clients.
	Client Pseudonym
}

// MarshalTLS encodes c.
func (c *AccountCredential) MarshalTLS(w *tlscodec.Writer) {
	if !c.valid() {
		w.Fail(tlscodec.ErrEncode)
	}
	w.Opaque([]byte(c.Account))
	w.Opaque([]byte(c.Provider))
	w.Raw(c.Client[:])
}

// UnmarshalTLS decodes c.
func (c *AccountCredential) UnmarshalTLS(r *tlscodec.Reader) {
	*c = AccountCredential{Account: string(r.Opaque()), Provider: string(r.Opaque())}
	copy(c.Client[:], r.Fixed(PseudonymSize))
	if r.Err() == nil && !c.valid() {
		r.Fail(fmt.Errorf("%w: account credential", tlscodec.ErrValue))
	}
}

func (c *AccountCredential) valid() bool {
	return len(c.Account) > 0 && len(c.Account) <= maxBare && utf8.ValidString(c.Account) && len(c.Provider) > 0 && len(c.Provider) <= maxDomain &&
		!strings.Contains(c.Provider, "@")
}

// Credential returns the MLS credential that holds c, or [mls.ErrEncode].
func (c *AccountCredential) Credential() (mls.Credential, error) {
	b, err := mls.Marshal(c)
	return mls.BasicCredential(b), err
}
