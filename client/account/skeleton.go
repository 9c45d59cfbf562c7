package account

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/pseudods/pseudods/client/identity"
	"github.com/pseudods/pseudods/client/vault"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/pseudods/httpapi"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

var errLater = errors.New("account: not there yet")

// The errors of this package.
var (
	// ErrExists: the vault has an account already.
	ErrExists = errors.New("account: the vault has an account")
	// ErrNoAccount: the vault has none.
	ErrNoAccount = errors.New("account: the vault has no account")
	// ErrUncertain: a request was sent and not answered. Whether the service acted
	// is not known. See [UncertainError].
	ErrUncertain = errors.New("account: no answer, the outcome is not known")
	// ErrNoTokens: the issuer gives no tokens for what the operation costs.
	ErrNoTokens = errors.New("account: no tokens")
	// ErrReplaced: another reader took over the queue.
	ErrReplaced = errors.New("account: another reader took over the queue")
	// ErrUnknownAddress: an entry came by an address that this account does not
	// know, or knows no secret of.
	ErrUnknownAddress = errors.New("account: unknown address")
	// ErrGone: the payload of an entry has expired.
	ErrGone = errors.New("account: payload is gone")
	// ErrIdentityChanged: somebody uses a known name with another key.
	ErrIdentityChanged = errors.New("account: another key for a known name")
	// ErrNoContact: there is no contact of that name, or in no state for this.
	ErrNoContact = errors.New("account: no such contact")
	// ErrBlocked: the contact is blocked.
	ErrBlocked = errors.New("account: contact is blocked")
	// ErrCard: a contact card is malformed, or its signature is not good.
	ErrCard = errors.New("account: invalid contact card")
	// ErrKeyPackage: a KeyPackage that was fetched is not the contact's, or nobody
	// could use it.
	ErrKeyPackage = errors.New("account: invalid KeyPackage")
)

// UncertainError says until when a request may still be carried out: afterwards
// what the service says of its outcome is final. It wraps [ErrUncertain].
type UncertainError struct {
	Until time.Time
	Err   error
}

func (e *UncertainError) Error() string   { return ErrUncertain.Error() }
func (e *UncertainError) Unwrap() []error { return []error{ErrUncertain, e.Err} }

// Attestor says how the client pays the issuer's attester.
type Attestor interface {
	// Authorize returns the Authorization header of an issuance request to the
	// issuer that is described.
	Authorize(ctx context.Context, d *attester.Description, r *attester.Request) (string, error)
}

// Config of an [Account].
type Config struct {
	Vault     *vault.Vault
	HTTP      *http.Client
	Attestor  Attestor
	Verifier  identity.Verifier
	Providers map[string]string
	Suite     mls.CipherSuite
	Now       func() time.Time
	Rand      io.Reader
}

// Account is one client of one user.
type Account struct{}

// Create makes an account.
func Create(ctx context.Context, cfg Config, name, domain string) (*Account, error) {
	return nil, errLater
}

// Open opens the vault's account.
func Open(ctx context.Context, cfg Config) (*Account, error) { return nil, errLater }

// Close ends the use of the account.
func (a *Account) Close() error { return errLater }

// Identity returns the user's real identity.
func (a *Account) Identity() *identity.Identity { return nil }

// Domain returns the account's provider.
func (a *Account) Domain() string { return "" }

// Verifier returns what decides about real credentials: that of the configuration
// or the pins in the vault.
func (a *Account) Verifier() identity.Verifier { return nil }

// Provider returns a provider's document.
func (a *Account) Provider(ctx context.Context, domain string) (*httpapi.Provider, error) {
	return nil, errLater
}

// Call is one request.
type Call struct {
	Domain        string
	Operation     wire.Operation
	Body          mls.Marshaler
	GroupStateKey secret.Bytes
	Auth          wire.Auth // without signature
	Sign          func(tbs []byte) ([]byte, error)
	Answer        mls.Unmarshaler
	Pay           bool
}

// Call sends a request.
func (a *Account) Call(ctx context.Context, c *Call) error { return errLater }

// Persona is who the client is in one group.
type Persona struct {
	Signer    *mls.SignatureKey
	Pseudonym identity.Pseudonym
	UserAuth  *mls.SignatureKey
}

// MarshalTLS encodes p.
func (p *Persona) MarshalTLS(w *tlscodec.Writer) { w.Fail(errLater) }

// UnmarshalTLS decodes p.
func (p *Persona) UnmarshalTLS(r *tlscodec.Reader) { r.Fail(errLater) }

// NewPersona draws a persona.
func (a *Account) NewPersona(user *Persona) (*Persona, error) { return nil, errLater }

// Client returns what the persona puts into its leaves.
func (a *Account) Client(p *Persona) *group.Client { return nil }

// KeyPackages returns the private parts of KeyPackages.
func (a *Account) KeyPackages() group.KeyPackageStore { return nil }

// KeyPackagePersona returns who a KeyPackage is, and the key its Welcome comes to.
func (a *Account) KeyPackagePersona(ref mls.KeyPackageRef) (*Persona, *seal.PrivateKey, error) {
	return nil, nil, errLater
}

// NewKeyPackage makes a KeyPackage.
func (a *Account) NewKeyPackage(ctx context.Context, p *Persona) (*mls.KeyPackage, error) {
	return nil, errLater
}

// BoundAddress makes an address for one group.
func (a *Account) BoundAddress(ctx context.Context, dsDomain string, g wire.GroupID) (*wire.MemberAddress, wire.AddressID, error) {
	return nil, wire.AddressID{}, errLater
}

// Adopt has entries of a stream open with a secret from now on.
func (a *Account) Adopt(stream wire.AddressID, s seal.DeliverySecret) error { return errLater }

// Forget forgets an address.
func (a *Account) Forget(id wire.AddressID) error { return errLater }

// Revoke ends the use of an address.
func (a *Account) Revoke(ctx context.Context, id wire.AddressID) error { return errLater }

// DueAddresses returns the addresses that should be replaced.
func (a *Account) DueAddresses() []wire.AddressID { return nil }

// ContactState says how far a contact is.
type ContactState uint8

// The states of a contact.
const (
	ContactOffered  ContactState = 1 // we asked
	ContactAsked    ContactState = 2 // they asked
	ContactAccepted ContactState = 3
	ContactBlocked  ContactState = 4
)

// Contact is another user.
type Contact struct {
	Name     string
	Identity []byte // Ed25519 key
	Card     wire.ContactCard
	Token    wire.ContactToken
	Pools    []wire.PoolID
	LinkWrap secret.Bytes
	State    ContactState
	Greeting []byte
}

// Fingerprint returns the contact's key for people to compare.
func (c *Contact) Fingerprint() string { return "" }

// ParseCard reads the text form of a card and checks its signature.
func ParseCard(text string) (*wire.ContactCard, error) { return nil, errLater }

// FormatCard returns the text form of a card.
func FormatCard(c *wire.ContactCard) (string, error) { return "", errLater }

// CardName returns whose card it is.
func CardName(c *wire.ContactCard) (name string, identity []byte, err error) {
	return "", nil, errLater
}

// Card returns the account's card.
func (a *Account) Card() (*wire.ContactCard, error) { return nil, errLater }

// Connect sends an offer.
func (a *Account) Connect(ctx context.Context, card *wire.ContactCard, greeting []byte) error {
	return errLater
}

// Accept accepts an offer.
func (a *Account) Accept(ctx context.Context, name string) error { return errLater }

// Block blocks a contact.
func (a *Account) Block(ctx context.Context, name string) error { return errLater }

// Contacts returns all contacts.
func (a *Account) Contacts() ([]*Contact, error) { return nil, errLater }

// Contact returns the contact of a name, or ErrNoContact.
func (a *Account) Contact(name string) (*Contact, error) { return nil, errLater }

// FetchKeyPackage takes a KeyPackage of a contact.
func (a *Account) FetchKeyPackage(ctx context.Context, c *Contact) (*mls.KeyPackage, identity.LinkKey, error) {
	return nil, identity.LinkKey{}, errLater
}

// Refill does what is due.
func (a *Account) Refill(ctx context.Context) error { return errLater }

// Incoming is an entry of the queue.
type Incoming struct {
	Seq             uint64
	Address, Stream wire.AddressID
	Fanout          *wire.Fanout
	Sequence        uint64
	JoinInfo        *wire.JoinInfo
	KeyPackage      mls.KeyPackageRef
	Pool            wire.PoolKind // of the KeyPackage; zero for one in no pool
	Contact         *Contact
	Lost            bool
	Err             error
}

// Receive returns what is in the queue.
func (a *Account) Receive(ctx context.Context, wait time.Duration) ([]Incoming, error) {
	return nil, errLater
}

// Ack says that entries were handled.
func (a *Account) Ack(ctx context.Context, seq uint64) error { return errLater }
