package account

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/pseudods/pseudods/client/identity"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/httpapi"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// settleTimeout bounds how long Open waits for answers to what was left.
const settleTimeout = 15 * time.Second

// Account is one client of one user. Its methods may be called concurrently.
type Account struct {
	cfg     Config
	store   store
	suite   *mls.Suite
	clients *clients
	static  *static
	// life ends with Close, and with it what runs on its own.
	life context.Context
	end  context.CancelFunc

	// contactTurn holds a value while something is sent for a contact, so that
	// steps for one follow each other. refillTurn does so for Refill.
	contactTurn, refillTurn chan struct{}
	reader                  reader

	// providersMu guards providers and closed.
	providersMu sync.Mutex
	providers   map[string]*provider
	closed      bool

	// mu guards what follows: what the vault has, in memory. Values are replaced
	// and never modified, so that they can be used without it. It is held while
	// something is saved, and not while anything is sent.
	mu           sync.Mutex
	status       *status
	addresses    map[wire.AddressID]*address
	sets         map[string]*keySet
	keyPackages  map[string]*ownKeyPackage // by KeyPackageRef
	keyAddresses map[wire.AddressID]*ownKeyPackage
	welcomes     map[wire.AddressID]*welcome // by stream; in memory alone
	contacts     map[string]*contact
	formers      map[string]*former // by identity key
	pins         map[string]ed25519.PublicKey
	self         *self // nil if there never was another device
	devices      map[DeviceID]*device
	sealTo       *wire.AddressKey
	sealToAsked  time.Time
}

// Create makes the account of a new user at a provider: an identity with a basic
// credential that says the name, a queue, KeyPackages and a contact card. It costs
// what the provider asks for.
//
// It fails with [ErrExists] if the vault has an account, [ErrName], [ErrProvider],
// or as [Account.Call] does. After an error of the latter kinds the account is in
// the vault, and [Open] goes on.
func Create(ctx context.Context, cfg Config, name, domain string) (*Account, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return create(ctx, cfg, cfg.Vault, name, domain)
}

func create(ctx context.Context, cfg Config, s store, name, domain string) (*Account, error) {
	return createWith(ctx, cfg, s, name, domain, func(*static) error { return nil })
}

// createWith creates an account. What prepare adds is saved before the record by
// which there is one.
func createWith(ctx context.Context, cfg Config, s store, name, domain string, prepare func(*static) error) (*Account, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if _, err := cfg.baseOf(domain); err != nil {
		return nil, err
	}
	if _, err := s.Get(recordStatic); err == nil {
		return nil, ErrExists
	} else if !isNotFound(err) {
		return nil, err
	}
	if _, err := cfg.Suite.Suite(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	made, err := newStatic(&cfg, name, domain)
	if err != nil {
		return nil, err
	}
	if err := prepare(made); err != nil {
		return nil, err
	}
	if err := save(s, recordStatic, made); err != nil {
		return nil, err
	}
	return open(ctx, cfg, s)
}

// Open opens the account in the vault. It goes on with what Create could not
// finish, and then fails as Create does. It sends requests to the account's provider
// again that were paid and not answered, and otherwise needs no network. It fails
// with [ErrNoAccount] or [ErrRecord].
func Open(ctx context.Context, cfg Config) (*Account, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return open(ctx, cfg, cfg.Vault)
}

func newAccount(cfg Config, s store) *Account {
	a := &Account{
		cfg: cfg, store: s, clients: newClients(cfg.HTTP),
		contactTurn: make(chan struct{}, 1), refillTurn: make(chan struct{}, 1),
		providers:    map[string]*provider{},
		status:       new(status),
		addresses:    map[wire.AddressID]*address{},
		sets:         map[string]*keySet{},
		keyPackages:  map[string]*ownKeyPackage{},
		keyAddresses: map[wire.AddressID]*ownKeyPackage{},
		welcomes:     map[wire.AddressID]*welcome{},
		contacts:     map[string]*contact{},
		formers:      map[string]*former{},
		pins:         map[string]ed25519.PublicKey{},
		devices:      map[DeviceID]*device{},
	}
	a.reader.turn = make(chan struct{}, 1)
	a.life, a.end = context.WithCancel(context.Background())
	return a
}

func open(ctx context.Context, cfg Config, s store) (a *Account, err error) {
	a = newAccount(cfg, s)
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
			a = nil
		}
	}()
	if err := a.load(); err != nil {
		return a, err
	}
	own, err := a.provider(a.static.domain)
	if err != nil {
		return a, err
	}
	settling, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	if err := own.settle(settling); err != nil && isLocal(err) {
		return a, err
	}
	return a, a.setUp(ctx)
}

// isLocal reports whether an error is not one of the network's or a service's.
func isLocal(err error) bool {
	var refused *wire.Error
	return !errors.Is(err, ErrUncertain) && !errors.Is(err, ErrProvider) && !errors.Is(err, httpapi.ErrTransport) && !errors.As(err, &refused)
}

// load reads what the vault has.
func (a *Account) load() error {
	a.static = new(static)
	if err := load(a.store, recordStatic, a.static); isNotFound(err) {
		return ErrNoAccount
	} else if err != nil {
		return err
	}
	suite, err := a.static.suite.Suite()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRecord, err)
	}
	a.suite = suite
	if err := load(a.store, recordStatus, a.status); err != nil && !isNotFound(err) {
		return err
	}
	own := new(self)
	if err := load(a.store, recordSelf, own); err == nil {
		a.self = own
	} else if !isNotFound(err) {
		return err
	}
	var at cursor
	if err := load(a.store, recordCursor, &at); err != nil && !isNotFound(err) {
		return err
	}
	a.reader.cursor, a.reader.returned = at.seq, at.seq
	a.reader.opener = seal.NewReader(a.static.segmentKey, a.static.queue())
	for prefix, take := range map[string]func(name string) error{
		prefixAddresses: func(name string) error {
			d := new(address)
			err := load(a.store, name, d)
			a.addresses[d.id] = d
			return err
		},
		prefixKeys: func(name string) error {
			s := new(keySet)
			err := load(a.store, name, s)
			s.name = name
			a.takeSet(s)
			return err
		},
		prefixContacts: func(name string) error {
			c := new(contact)
			err := load(a.store, name, c)
			a.contacts[c.name] = c
			return err
		},
		prefixDevices: func(name string) error {
			d := new(device)
			err := load(a.store, name, d)
			a.devices[d.id] = d
			return err
		},
		prefixFormer: func(name string) error {
			f := new(former)
			err := load(a.store, name, f)
			a.formers[string(f.key)] = f
			return err
		},
		prefixPins: func(name string) error {
			b, err := a.store.Get(name)
			if err == nil && len(b) != ed25519.PublicKeySize {
				err = ErrRecord
			}
			a.pins[name] = b
			return err
		},
	} {
		if err := loadAll(a.store, prefix, take); err != nil {
			return err
		}
	}
	return nil
}

// setUp does what is left of creation, whose last step is the card.
func (a *Account) setUp(ctx context.Context) error {
	if len(a.statusNow().cards) > 0 {
		return nil
	}
	if err := a.ensureQueue(ctx); err != nil {
		return err
	}
	for i, kind := range pools {
		if a.statusNow().batches[i] == 0 {
			if err := a.ensurePool(ctx, kind); err != nil {
				return err
			}
		}
	}
	return a.ensureCard(ctx)
}

// whileOpen returns a context that ends with ctx or the account.
func (a *Account) whileOpen(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(a.life, cancel)
	return ctx, func() { stop(); cancel() }
}

// Close ends the use of the account, and what is under way. Everything is saved at
// all times. The vault stays open.
func (a *Account) Close() error {
	a.providersMu.Lock()
	defer a.providersMu.Unlock()
	if a.closed {
		return nil
	}
	a.closed = true
	a.end()
	var errs []error
	for _, p := range a.providers {
		errs = append(errs, p.purse.close())
	}
	a.clients.close()
	return errors.Join(errs...)
}

func (a *Account) isClosed() bool {
	a.providersMu.Lock()
	defer a.providersMu.Unlock()
	return a.closed
}

// Identity returns the user's real identity, with its private key.
func (a *Account) Identity() *identity.Identity { return a.static.identity }

func (a *Account) ownKey() ed25519.PublicKey { return a.static.identity.Key.Public() }

// Name returns what the identity's credential says.
func (a *Account) Name() string { return string(a.static.identity.Credential.Identity) }

// Domain returns the account's provider.
func (a *Account) Domain() string { return a.static.domain }
