package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
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
	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/privacypass/client"
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
	if err := f.parse(args, 0); err != nil {
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
	if attester.CheckURL(*base) != nil {
		return errors.New("the issuer's URL must be https, or http on loopback")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	i, err := discover(ctx, strings.TrimSuffix(*base, "/"), *class)
	if err != nil {
		return err
	}
	p, err := i.pending(types, *count, *origin, *zeroSalt, *state)
	if err != nil {
		return err
	}
	authorization, err := i.authorize(ctx, p, *vouch, *credential)
	if err != nil {
		return err
	}
	reply, err := i.send(ctx, p, authorization)
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
	http        *http.Client
	description *attester.Description
	class       attester.ClassDescription
	keys        []privacypass.DirectoryKey
	requests    string // where to send token requests
}

// discover fetches the issuer's description and the directory of a class.
func discover(ctx context.Context, base, class string) (*remote, error) {
	r := &remote{http: &http.Client{Timeout: time.Minute}}
	b, _, err := r.fetch(ctx, base+attester.DescriptionPath, attester.MaxDescription)
	if err != nil {
		return nil, err
	}
	if r.description, err = attester.ParseDescription(b); err != nil {
		return nil, err
	}
	for _, c := range r.description.Classes {
		if class == "" || c.Name == class {
			r.class = c
			break
		}
	}
	if r.class.Name == "" {
		return nil, fmt.Errorf("the issuer has no class %q", class)
	}
	location := r.class.Directory
	if strings.HasPrefix(location, "/") {
		location = base + location
	}
	b, found, err := r.fetch(ctx, location, privacypass.MaxDirectorySize)
	if err != nil {
		return nil, err
	}
	directory, err := privacypass.ParseDirectory(b)
	if err != nil {
		return nil, err
	}
	target, err := found.Request.URL.Parse(directory.RequestURI)
	if err != nil || attester.CheckURL(target.String()) != nil {
		return nil, errors.New("the directory names no usable issuer-request-uri")
	}
	r.keys, r.requests = directory.Keys, target.String()
	return r, nil
}

func (r *remote) fetch(ctx context.Context, location string, limit int64) ([]byte, *http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, location, nil)
	if err != nil {
		return nil, nil, err
	}
	resp, err := r.http.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: status %d", location, resp.StatusCode)
	}
	return b, resp, err
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
		count = r.class.BatchSizes[len(r.class.BatchSizes)-1]
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
	challenge := &privacypass.TokenChallenge{TokenType: t, IssuerName: r.description.Issuer}
	if origin != "" {
		challenge.OriginInfo = []string{origin}
	}
	for _, k := range r.keys {
		if k.TokenType == t && k.NotBefore <= uint64(time.Now().Unix()) {
			key, err := client.ParsePublicKey(t, k.PublicKey)
			return client.Want{Key: key, Challenge: challenge}, err
		}
	}
	return client.Want{}, fmt.Errorf("class %s has no usable key of type %v", r.class.Name, t)
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

func (r *remote) send(ctx context.Context, p *client.Pending, authorization string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.requests, bytes.NewReader(p.Request()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", p.Kind().RequestMediaType())
	req.Header.Set("Accept", p.Kind().ResponseMediaType())
	req.Header.Set("Authorization", authorization)
	resp, err := r.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusPartialContent {
		wait := resp.Header.Get("Retry-After")
		if wait != "" {
			wait = "; ask again in " + wait + " s"
		}
		return nil, fmt.Errorf("the issuer answered %d: %s%s", resp.StatusCode, strings.TrimSpace(string(b[:min(len(b), 256)])), wait)
	}
	return b, nil
}

// asked returns what signatures and proofs of work are over.
func (r *remote) asked(p *client.Pending) *attester.Request {
	return &attester.Request{
		Issuer: r.description.Issuer, Class: r.class.Name, MediaType: p.Kind().RequestMediaType(),
		Digest: sha256.Sum256(p.Request()), Tokens: p.Count(), Now: time.Now(),
	}
}
