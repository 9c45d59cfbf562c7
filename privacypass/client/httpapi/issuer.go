package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/attester"
)

// The errors of this package, beside [StatusError] and those of the parsers.
var (
	// ErrURL: a URL is neither https nor http on loopback.
	ErrURL = errors.New("httpapi: the issuer's URL must be https, or http on loopback")
	// ErrClass: the issuer has no class of that name.
	ErrClass = errors.New("httpapi: the issuer has no such class")
	// ErrUnreachable: no answer came. The issuer may have acted; the same request
	// can be sent again.
	ErrUnreachable = errors.New("httpapi: no answer from the issuer")
)

// Issuer is an issuer as it describes itself.
type Issuer struct {
	http *http.Client
	base string
	// Description must not be modified.
	Description *attester.Description
}

// Discover reads the description of the issuer at base, an absolute URL. A nil hc
// means [http.DefaultClient].
func Discover(ctx context.Context, hc *http.Client, base string) (*Issuer, error) {
	if attester.CheckURL(base) != nil {
		return nil, ErrURL
	}
	if hc == nil {
		hc = http.DefaultClient
	}
	i := &Issuer{http: hc, base: strings.TrimSuffix(base, "/")}
	b, _, err := i.get(ctx, i.base+attester.DescriptionPath, attester.MaxDescription)
	if err != nil {
		return nil, err
	}
	i.Description, err = attester.ParseDescription(b)
	return i, err
}

// Class reads the directory of a class; "" is the issuer's first. It fails with
// [ErrClass], [ErrURL], or as the parser of directories does.
func (i *Issuer) Class(ctx context.Context, name string) (*Class, error) {
	c := &Class{issuer: i}
	for _, d := range i.Description.Classes {
		if name == "" || d.Name == name {
			c.Description = d
			break
		}
	}
	if c.Description.Name == "" {
		return nil, ErrClass
	}
	location := c.Description.Directory
	if strings.HasPrefix(location, "/") {
		location = i.base + location
	}
	if attester.CheckURL(location) != nil {
		return nil, ErrURL
	}
	b, found, err := i.get(ctx, location, privacypass.MaxDirectorySize)
	if err != nil {
		return nil, err
	}
	directory, err := privacypass.ParseDirectory(b)
	if err != nil {
		return nil, err
	}
	target, err := found.Request.URL.Parse(directory.RequestURI)
	if err != nil || attester.CheckURL(target.String()) != nil {
		return nil, ErrURL
	}
	c.keys, c.requests = directory.Keys, target.String()
	return c, nil
}

func (i *Issuer) get(ctx context.Context, location string, limit int64) ([]byte, *http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, location, nil)
	if err != nil {
		return nil, nil, err
	}
	return i.do(req, limit)
}

// do returns an answer with status 200 or 206. One over the limit is cut, so that
// no parser takes it.
func (i *Issuer) do(req *http.Request, limit int64) ([]byte, *http.Response, error) {
	resp, err := i.http.Do(req)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusPartialContent {
		return nil, nil, newStatusError(resp, b)
	}
	return b, resp, nil
}
