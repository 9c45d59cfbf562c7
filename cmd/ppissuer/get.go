package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/client"
	"github.com/pseudods/pseudods/privacypass/client/httpapi"
	"github.com/pseudods/pseudods/privacypass/issuer/host"
)

// get gets tokens and prints them in base64url, one to a line.
func get(args []string, stdout, stderr io.Writer) (err error) {
	f := newFlags("get", stderr).withConfig()
	base := f.String("url", "", "the issuer's `URL`; default: the one that runs on the data directory")
	class := f.String("class", "", "token `class`; default: the issuer's first")
	typeNames := f.String("type", "0x0005", "token `type`; several, with commas, take turns in a generic batch")
	zeroSalt := f.Bool("zero-salt", false, "the variant PSSZERO of type 0x0002")
	count := f.Int("count", 0, "how many tokens; default: the issuer's largest batch")
	origin := f.String("origin", "", "`name` of the origin that the tokens are for; default: any")
	vouch := f.String("attester", "proof-of-work", "`kind` of attestation: invite, account-key, proof-of-work, oidc, webhook")
	credential := f.String("credential", "", "`file` of the code, account key, JSON Web Token or account credential")
	state := f.String("state", "", "`file` to keep the request in until it is answered; if it exists, that request is sent again")
	if err := f.Read(args, 0); err != nil {
		return err
	}
	var types []privacypass.TokenType
	for name := range strings.SplitSeq(*typeNames, ",") {
		t, err := host.ParseType(name)
		if err != nil {
			return err
		}
		types = append(types, t)
	}
	if *base == "" {
		if *base, err = f.runningURL(); err != nil {
			return err
		}
	}
	vouched, err := attestor(*vouch, *credential)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	r, err := discover(ctx, *base, *class)
	if err != nil {
		return err
	}
	p, err := r.pending(types, *count, *origin, *zeroSalt, *state)
	if err != nil {
		return err
	}
	reply, err := r.class.Send(ctx, p.Kind(), p.Request(), time.Now(), vouched)
	if err != nil {
		return err
	}
	tokens, err := p.Finalize(reply)
	if err != nil {
		return err
	}
	for _, token := range tokens {
		b, err := token.Marshal()
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(stdout, base64.URLEncoding.EncodeToString(b)); err != nil {
			return err
		}
	}
	if *state != "" {
		return os.Remove(*state)
	}
	return nil
}

func (f *flags) runningURL() (string, error) {
	c, err := f.load()
	if err != nil {
		return "", err
	}
	where, err := daemon.Dir(c.Data).Running()
	return where.URL, err
}

// remote is an issuer as a client knows it.
type remote struct {
	name  string // in challenges
	class *httpapi.Class
}

// discover reads the description of the issuer and the directory of a class.
func discover(ctx context.Context, base, class string) (*remote, error) {
	i, err := httpapi.Discover(ctx, &http.Client{Timeout: time.Minute}, base)
	if err != nil {
		return nil, err
	}
	c, err := i.Class(ctx, class)
	if err != nil {
		return nil, err
	}
	return &remote{i.Description.Issuer, c}, nil
}

// pending returns the request that the state file holds, or a new one, which it
// puts there before anything is sent.
func (r *remote) pending(types []privacypass.TokenType, count int, origin string, zeroSalt bool, state string) (*client.Pending, error) {
	if state != "" {
		b, err := os.ReadFile(state)
		if err == nil {
			return client.Restore(secret.New(b))
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	if count == 0 {
		count = r.class.Batch(privacypass.MaxAmortized)
	}
	var wants []client.Want
	for _, t := range types {
		want, err := r.want(t, origin)
		if err != nil {
			return nil, err
		}
		want.ZeroSalt = zeroSalt && t == privacypass.BlindRSA
		wants = append(wants, want)
	}
	p, err := request(wants, count)
	if err != nil || state == "" {
		return p, err
	}
	return p, writeState(state, p)
}

func writeState(path string, p *client.Pending) error {
	content := p.Export()
	defer content.Wipe()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content.Reveal())
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// want asks for a token of the first key of the type whose time has come.
func (r *remote) want(t privacypass.TokenType, origin string) (client.Want, error) {
	challenge := &privacypass.TokenChallenge{TokenType: t, IssuerName: r.name}
	if origin != "" {
		challenge.OriginInfo = []string{origin}
	}
	keys, err := r.class.Keys(t, time.Now())
	if err != nil {
		return client.Want{}, err
	}
	if len(keys) == 0 {
		return client.Want{}, fmt.Errorf("class %s has no usable key of type %v", r.class.Description.Name, t)
	}
	return client.Want{Key: keys[0], Challenge: challenge}, nil
}

// request makes the request that suits what is wanted, for so many tokens.
func request(wants []client.Want, count int) (*client.Pending, error) {
	params, err := wants[0].Key.TokenType().Params()
	switch {
	case err != nil:
		return nil, err
	case count == 1:
		return client.Single(rand.Reader, wants[0])
	case params.Amortized && len(wants) == 1:
		return client.Amortized(rand.Reader, wants[0], count)
	}
	batch := make([]client.Want, max(0, count))
	for i := range batch {
		batch[i] = wants[i%len(wants)]
	}
	return client.Generic(rand.Reader, batch)
}
