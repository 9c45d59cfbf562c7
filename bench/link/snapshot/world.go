package snapshot

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/pseudods/pseudods/client"
	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/client/vault"
	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/internal/secret"
	issuer "github.com/pseudods/pseudods/privacypass/client/httpapi"
	"github.com/pseudods/pseudods/privacypass/issuer/host"
	"github.com/pseudods/pseudods/pseudods/server"
	"github.com/pseudods/pseudods/storage/badger"
)

const domain = "localhost"

// world is a provider and the people who use it.
type world struct {
	Config
	ctx  context.Context
	rand *rand.Rand
	dir  string
	cfg  server.Config
	url  string
	stop func() error // nil while the provider does not run

	users   []*user
	clients []*device
	groups  []*circle

	journals map[Store]*journal
	storage  secret.Bytes // key of encrypted stores
}

// user is somebody with an account at the issuer.
type user struct {
	number  int
	name    string
	account ed25519.PrivateKey
	devices []*device
	knows   map[*user]bool
}

// device is one client of a user.
type device struct {
	*client.Client
	user   *user
	vault  *vault.Vault
	cfg    client.Config
	online bool
}

// circle is a group, and who should be in it.
type circle struct {
	label   string
	founder *user
	users   []*user // the founder first
	rate    float64
}

// newWorld decides who there is.
func newWorld(ctx context.Context, dir string, c Config) *world {
	w := &world{Config: c, ctx: ctx, rand: rand.New(rand.NewPCG(c.Seed, 0x736e6170)), dir: dir, journals: map[Store]*journal{}}
	seed := binary.BigEndian.AppendUint64([]byte("snapshot account"), c.Seed)
	for i := range c.Users {
		s := sha256.Sum256(binary.BigEndian.AppendUint64(seed, uint64(i)))
		w.users = append(w.users, &user{number: i, name: fmt.Sprintf("user-%d@%s", i, domain), account: ed25519.NewKeyFromSeed(s[:]), knows: map[*user]bool{}})
	}
	return w
}

// open starts the provider in an empty directory.
func (w *world) open() error {
	var keys []byte
	for _, u := range w.users {
		keys = append(base64.URLEncoding.AppendEncode(keys, u.account.Public().(ed25519.PublicKey)), '\n')
	}
	accounts := filepath.Join(w.dir, "accounts")
	if err := os.WriteFile(accounts, keys, 0o600); err != nil {
		return err
	}
	generous := server.Rate{Every: daemon.Duration(time.Millisecond), Burst: 1 << 20}
	w.cfg = server.Config{Domain: domain, Data: filepath.Join(w.dir, "provider"), Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0", MinFree: 1,
		Logger: slog.New(slog.DiscardHandler)}
	w.cfg.Issuer.Attesters = host.Attesters{AccountKey: &host.AccountKey{Keys: accounts}}
	w.cfg.DS.PerGroup, w.cfg.DS.PerLeaf = generous, generous
	if w.Encrypted {
		w.storage = secret.New(make([]byte, badger.KeySize))
		w.cfg.StorageKey = filepath.Join(w.dir, "storage.key")
		if err := os.WriteFile(w.cfg.StorageKey, base64.URLEncoding.AppendEncode(nil, w.storage.Reveal()), 0o600); err != nil {
			return err
		}
	}
	return w.start()
}

// start runs the provider on what is on disk. It listens where it did before.
func (w *world) start() error {
	s, err := server.New(w.cfg)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(w.ctx)
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	w.url = s.URL(server.DS)
	w.cfg.Listen = w.url[len("http://"):]
	w.stop = func() error {
		w.stop = nil
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
		return nil
	}
	return nil
}

// pass lets a quiet half minute pass: all records are in the tables afterwards.
func (w *world) pass() error {
	if err := w.stop(); err != nil {
		return err
	}
	clear(w.journals)
	return w.start()
}

func (w *world) close() (err error) {
	for _, d := range w.clients {
		err = errors.Join(err, d.Close(), d.vault.Close())
	}
	if w.stop != nil {
		err = errors.Join(err, w.stop())
	}
	return err
}

// arrive makes the first client of a user.
func (w *world) arrive(u *user) error {
	return w.equip(u, func(cfg client.Config) (*client.Client, error) { return client.Create(w.ctx, cfg, u.name, domain) })
}

// link makes one more client of a user.
func (w *world) link(u *user) error {
	code, err := u.devices[0].LinkCode("first")
	if err != nil {
		return err
	}
	l, err := account.ParseLink(code)
	if err != nil {
		return err
	}
	if err := w.equip(u, func(cfg client.Config) (*client.Client, error) { return client.Link(w.ctx, cfg, l, "second") }); err != nil {
		return err
	}
	return w.until(u.devices[0], client.EventDevice)
}

func (w *world) equip(u *user, make func(client.Config) (*client.Client, error)) error {
	v, err := vault.Open(filepath.Join(w.dir, fmt.Sprint("vault-", len(w.clients))), secret.New([]byte("a key that keeps nothing secret!")))
	if err != nil {
		return err
	}
	d := &device{user: u, vault: v, online: true}
	d.cfg = client.Config{Account: account.Config{Vault: v, Attestor: issuer.AccountKey(u.account), Providers: map[string]string{domain: w.url}, KeyPackages: 8}}
	if d.Client, err = make(d.cfg); err != nil {
		return errors.Join(fmt.Errorf("a client of %s: %w", u.name, err), v.Close())
	}
	u.devices, w.clients = append(u.devices, d), append(w.clients, d)
	return nil
}

// patience is how long something is waited for, which takes much less.
const patience = 30 * time.Second

// until has a client read until an event of a kind comes.
func (w *world) until(d *device, kind client.EventKind) error {
	for end := time.Now().Add(patience); time.Now().Before(end); {
		events, err := d.Sync(w.ctx, time.Second)
		if err != nil {
			return fmt.Errorf("%s: %w", d.user.name, err)
		}
		for _, e := range events {
			if e.Kind == kind {
				return nil
			}
		}
	}
	return fmt.Errorf("snapshot: %s waits in vain for event %d", d.user.name, kind)
}

// read has a client take what has arrived for it.
func (w *world) read(d *device) error {
	for {
		events, err := d.Sync(w.ctx, 0)
		if err != nil {
			return fmt.Errorf("%s: %w", d.user.name, err)
		}
		if len(events) == 0 {
			return nil
		}
	}
}

// rest has all clients read until nothing comes any more.
func (w *world) rest() error {
	for quiet := 0; quiet < 2; quiet++ {
		for _, d := range w.clients {
			events, err := d.Sync(w.ctx, 0)
			if err != nil {
				return fmt.Errorf("%s: %w", d.user.name, err)
			}
			if len(events) > 0 {
				quiet = -1
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	return nil
}
