package main

import (
	"context"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/pseudods/pseudods/client"
	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/client/vault"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/privacypass/attester"
	issuers "github.com/pseudods/pseudods/privacypass/client/httpapi"
	"github.com/pseudods/pseudods/pseudods/httpapi"
)

// initWork makes an account. Interrupted, it goes on when it is run again.
type initWork struct {
	name, server, invite, link string
	passphrase, accountKey     bool
}

func (w *initWork) flags(f *flag.FlagSet) {
	f.StringVar(&w.server, "server", "", "`URL` of the server")
	f.StringVar(&w.invite, "invite", "", "get tokens by the invite code in a `file`, and not by work; - asks for it")
	f.BoolVar(&w.accountKey, "account-key", false, "get tokens by the identity's key, which the server must know as an account key, and not by work")
	f.StringVar(&w.link, "link", "", "be another device of the user whose link code is in a `file`, under the name NAME; - asks for it")
	f.BoolVar(&w.passphrase, "passphrase", false, "protect the state by a passphrase, and not by a key file beside it")
}

// maxUserName bounds a user's name in octets.
const maxUserName = 64

func (w *initWork) take(args []string, _ terminal) error {
	if err := exactly(1, args); err != nil {
		return err
	}
	w.name = args[0]
	if len(w.name) > maxUserName || named(w.name) != w.name {
		return usagef("a name has letters, digits and -_.@+ only, at most %d", maxUserName)
	}
	if attester.CheckURL(w.server) != nil {
		return usagef("-server must be an https URL, or http on this machine")
	}
	w.server = strings.TrimSuffix(w.server, "/")
	return nil
}

func (w *initWork) do(ctx context.Context, s *session) error {
	var code secret.Bytes
	var err error
	if w.invite != "" {
		if code, err = readInvite(w.invite, s.terminal); err != nil {
			return err
		}
	}
	var link *account.Link
	if w.link != "" {
		if link, err = readLink(w.link, s.terminal); err != nil {
			return err
		}
	}
	if err := checkSocket(s.location); err != nil {
		return err
	}
	key, err := w.settle(ctx, s)
	if err != nil {
		return err
	}
	err = s.lock(key)
	key.Wipe()
	if errors.Is(err, vault.ErrInUse) {
		return s.busy()
	} else if err != nil {
		return err
	}
	return errors.Join(w.create(ctx, s, code, link), s.close())
}

// settle finds the settings and the vault's key, or makes them.
func (w *initWork) settle(ctx context.Context, s *session) (key secret.Bytes, err error) {
	s.settings, err = s.location.settings()
	if err == nil && w.accountKey && !s.settings.AccountKey {
		s.settings.AccountKey = true
		err = s.putSettings(s.settings)
	}
	switch {
	case err == nil && s.settings.Server != w.server:
		return key, fmt.Errorf("this state belongs to %s; name another directory with -state", s.settings.Server)
	case err == nil:
		return s.settings.key(s.location, s.terminal)
	case !errors.Is(err, errNoAccount):
		return key, err
	}
	s.settings = &settings{Server: w.server, AccountKey: w.accountKey}
	if s.settings.Domain, err = domainOf(ctx, w.server); err != nil {
		return key, err
	}
	if err := makeState(s.dir); err != nil {
		return key, err
	}
	if w.passphrase || s.passphraseFile != "" {
		p, err := s.passphrase(s.terminal, true)
		if err != nil {
			return key, err
		}
		defer p.Wipe()
		s.settings.Passphrase = newStretch()
		key = s.settings.Passphrase.key(p)
	} else if key, err = makeKey(s.path(keyFile)); err != nil {
		return key, err
	}
	return key, s.putSettings(s.settings)
}

func makeState(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	info, err := os.Stat(dir)
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		err = fmt.Errorf("%s: others have access to the state directory; chmod 700 it", dir)
	}
	return err
}

func (w *initWork) create(ctx context.Context, s *session, code secret.Bytes, link *account.Link) error {
	if err := useInvite(s.vault, code); err != nil {
		return err
	}
	var c *client.Client
	var err error
	if link == nil {
		c, err = client.Create(ctx, s.config(), w.name, s.settings.Domain)
	} else if link.Domain() != s.settings.Domain {
		return fmt.Errorf("that link code is of a user of %s, and the server is %s", named(link.Domain()), s.settings.Domain)
	} else {
		c, err = client.Link(ctx, s.config(), link, w.name)
	}
	if errors.Is(err, account.ErrExists) {
		c, err = client.Open(ctx, s.config())
	}
	if err != nil {
		return s.unknownKey(err)
	}
	s.Client = c
	own, user := c.Account().Identity(), w.name
	if link != nil {
		user = link.Name()
	}
	if name := string(own.Credential.Identity); name != user {
		return fmt.Errorf("this state is %s's; name another directory with -state", named(name))
	}
	_, err = fmt.Fprintf(s.out, "you are %s at %s, fingerprint %s\n", named(user), s.settings.Domain, fingerprint(own.Key.Public()))
	return err
}

// unknownKey says, where the identity's key is to be the account's, which one it is
// if the issuer does not know it.
func (s *session) unknownKey(err error) error {
	var refused *issuers.StatusError
	if !s.settings.AccountKey || !errors.As(err, &refused) || refused.Status != http.StatusForbidden && refused.Status != http.StatusUnauthorized {
		return err
	}
	key, unknown := account.StoredKey(s.vault)
	if unknown != nil {
		return errors.Join(err, unknown)
	}
	return fmt.Errorf("the server does not know your account key yet: have it add %s to its account keys, and run this again",
		base64.URLEncoding.EncodeToString(key))
}

// maxDocument bounds a provider document in octets.
const maxDocument = 1 << 20

// domainOf asks a server for the name that it goes by.
func domainOf(ctx context.Context, server string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server+httpapi.PathProvider, nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxDocument))
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s is no server of this kind: status %d", server, resp.StatusCode)
	}
	p, err := httpapi.ParseProvider(b)
	if err != nil {
		return "", fmt.Errorf("%s is no server of this kind: %w", server, err)
	}
	if _, err := url.Parse("https://" + p.Domain); err != nil || p.Domain == "" {
		return "", fmt.Errorf("%s does not say what it is called", server)
	}
	return p.Domain, nil
}
