package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/issuer/host"
	"github.com/pseudods/pseudods/privacypass/keyring"
	"github.com/pseudods/pseudods/privacypass/verify"
	"github.com/pseudods/pseudods/privacypass/verify/private"
	"github.com/pseudods/pseudods/tokens"
)

// keySource says with which keys tokens of some classes verify.
type keySource interface {
	// stamp changes when the keys may have. It is cheap.
	stamp() string
	// keys returns the live keys by class.
	keys() (map[tokens.Class][]verify.Key, error)
	// advance does what is due.
	advance(ctx context.Context, now time.Time) error
}

// keySources returns where the keys of the classes in a price list come from.
func (c *Config) keySources(list *tokens.PriceList, hc *http.Client) ([]keySource, error) {
	var sources []keySource
	local := map[tokens.Class]tokens.Terms{}
	for class, terms := range list.Classes {
		if u := c.TokenDirectories[string(class)]; u != "" {
			sources = append(sources, &publicKeys{class: class, url: u, http: hc})
			continue
		}
		local[class] = terms
	}
	if len(local) == 0 {
		return sources, nil
	}
	if _, err := os.Stat(c.TokenKeys); errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("no keys to verify tokens with: run the issuer here, or set token_keys or token_directories")
	}
	s := host.Default().Schedule // of no effect: keys are only read
	ring, err := keyring.Open(keyring.Config{Dir: c.TokenKeys, Rand: rand.Reader,
		Schedule: keyring.Schedule{Period: time.Duration(s.Period), Overlap: time.Duration(s.Overlap), Lead: time.Duration(s.Lead)}})
	if err != nil {
		return nil, err
	}
	return append(sources, &keyDirectory{dir: c.TokenKeys, ring: ring, classes: local}), nil
}

// keyDirectory is the issuer's key directory, or a copy.
type keyDirectory struct {
	dir     string
	ring    *keyring.Ring
	classes map[tokens.Class]tokens.Terms
}

func (d *keyDirectory) stamp() string {
	files, err := filepath.Glob(filepath.Join(d.dir, "*.key"))
	if err != nil {
		return ""
	}
	return strings.Join(files, "\n")
}

func (d *keyDirectory) advance(context.Context, time.Time) error { return nil }

func (d *keyDirectory) keys() (map[tokens.Class][]verify.Key, error) {
	if err := d.ring.Reload(); err != nil {
		return nil, err
	}
	out := map[tokens.Class][]verify.Key{}
	for _, k := range d.ring.All() {
		class := tokens.Class(k.Class)
		if terms, ok := d.classes[class]; !ok || terms.TokenType != k.TokenType() {
			continue
		}
		key, err := verifyKey(k)
		if err != nil {
			return nil, err
		}
		out[class] = append(out[class], key)
	}
	return out, nil
}

func verifyKey(k *keyring.Key) (verify.Key, error) {
	if k.TokenType() == privacypass.BlindRSA {
		return verify.NewBlindRSA(k.PublicKey())
	}
	content := k.Key.Marshal()
	defer content.Wipe()
	return private.NewKey(content)
}

const (
	directoryEvery   = 5 * time.Minute
	directoryRetry   = 10 * time.Second
	directoryTimeout = 10 * time.Second
)

// publicKeys is the directory of a class of publicly verifiable tokens at an
// issuer elsewhere. It is fetched every few minutes: issuers announce keys ahead,
// and those that are announced are taken. Without an answer the keys stay.
type publicKeys struct {
	class tokens.Class
	url   string
	http  *http.Client

	// mu guards the rest.
	mu      sync.Mutex
	due     time.Time
	current []verify.Key
	version int
}

func (p *publicKeys) stamp() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strconv.Itoa(p.version)
}

func (p *publicKeys) keys() (map[tokens.Class][]verify.Key, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return map[tokens.Class][]verify.Key{p.class: p.current}, nil
}

// advance fetches the directory if it is time to.
func (p *publicKeys) advance(ctx context.Context, now time.Time) error {
	p.mu.Lock()
	due := !now.Before(p.due)
	p.mu.Unlock()
	if !due {
		return nil
	}
	keys, err := p.fetch(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.due = now.Add(directoryRetry)
		return fmt.Errorf("directory of class %s: %w", p.class, err)
	}
	p.due = now.Add(directoryEvery)
	same := func(a, b verify.Key) bool { return a.ID() == b.ID() }
	if !slices.EqualFunc(keys, p.current, same) {
		p.current = keys
		p.version++
	}
	return nil
}

func (p *publicKeys) fetch(ctx context.Context) (keys []verify.Key, err error) {
	ctx, cancel := context.WithTimeout(ctx, directoryTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, nil)
	if err != nil {
		return nil, err
	}
	res, err := p.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, privacypass.MaxDirectorySize+1))
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", res.StatusCode)
	}
	directory, err := privacypass.ParseDirectory(b)
	if err != nil {
		return nil, err
	}
	for _, k := range directory.Keys {
		if k.TokenType != privacypass.BlindRSA {
			continue
		}
		key, err := verify.NewBlindRSA(k.PublicKey)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}
