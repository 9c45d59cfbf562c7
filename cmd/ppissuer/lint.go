package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/attester"
)

// The bounds of what passes without a warning.
const (
	shortCache = time.Minute
	longCache  = 7 * 24 * time.Hour
)

// directory fetches the directory as a client does, looks at how it is served,
// and then at what it says.
func (l *linter) directory(ctx context.Context, location *url.URL, probe bool) {
	if attester.CheckURL(location.String()) != nil {
		l.fail("the directory is served without TLS")
		return
	}
	resp, body, err := l.fetch(ctx, location, "")
	if err != nil {
		l.fail("the directory cannot be fetched: %v", err)
		return
	}
	if resp.StatusCode != http.StatusOK {
		l.fail("status %d instead of 200 (redirects are not followed)", resp.StatusCode)
		return
	}
	mediaType, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	l.verdict(err == nil && mediaType == privacypass.MediaTypeDirectory, "media type",
		"Content-Type is %q instead of %s", resp.Header.Get("Content-Type"), privacypass.MediaTypeDirectory)
	l.caching(resp.Header)
	l.revalidation(ctx, location, resp.Header, body)
	requests := l.content(body)
	if requests == "" {
		return
	}
	target, err := location.Parse(requests)
	if err != nil {
		l.fail("issuer-request-uri cannot be resolved: %v", err)
		return
	}
	if target.Host != location.Host {
		l.warn("requests go to another host: %s", target.Host)
	}
	if target.Scheme != "https" && location.Scheme == "https" {
		l.fail("requests go without TLS to %s", target)
	}
	if probe {
		l.endpoint(ctx, target)
	}
}

func (l *linter) fetch(ctx context.Context, location *url.URL, etag string) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, location.String(), nil)
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Accept", privacypass.MediaTypeDirectory)
	if etag != "" {
		req.Header.Set("If-None-Match", etag)
	}
	resp, err := l.client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, privacypass.MaxDirectorySize+1))
	if err == nil && len(body) > privacypass.MaxDirectorySize {
		err = fmt.Errorf("longer than %d octets", privacypass.MaxDirectorySize)
	}
	return resp, body, err
}

// caching looks at Cache-Control, which RFC 9578, Section 4 asks issuers for.
func (l *linter) caching(h http.Header) {
	var age time.Duration
	value := strings.ToLower(strings.Join(h.Values("Cache-Control"), ","))
	known := false
	for directive := range strings.SplitSeq(value, ",") {
		name, argument, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch name {
		case "no-store", "no-cache", "private":
			l.warn("Cache-Control: %s keeps shared caches from serving the directory, so that the issuer sees who fetches it", name)
			return
		case "max-age":
			seconds, err := strconv.ParseUint(strings.Trim(argument, `"`), 10, 31)
			if err != nil {
				l.fail("Cache-Control: max-age is %q", argument)
				return
			}
			age, known = time.Duration(seconds)*time.Second, true
		}
	}
	switch {
	case !known:
		l.warn("no Cache-Control with max-age: caches guess how long keys are good")
	case age < shortCache:
		l.warn("the directory may be cached for only %v", age)
	case age > longCache:
		l.warn("the directory may be cached for %v: a key could not be replaced within that time", age)
	default:
		l.ok("cached for %v", age)
	}
}

// revalidation fetches a second time, with and without the validator.
func (l *linter) revalidation(ctx context.Context, location *url.URL, h http.Header, body []byte) {
	_, again, err := l.fetch(ctx, location, "")
	if err != nil {
		l.fail("the directory cannot be fetched a second time: %v", err)
		return
	}
	l.verdict(bytes.Equal(again, body), "the same twice", "two fetches give two directories: clients can be told apart by their keys")
	etag := h.Get("ETag")
	if etag == "" {
		l.warn("no ETag: caches must fetch the whole directory again")
		return
	}
	resp, _, err := l.fetch(ctx, location, etag)
	if err != nil || resp.StatusCode != http.StatusNotModified {
		l.warn("a request with If-None-Match is not answered with status 304")
		return
	}
	l.ok("revalidated by ETag")
}

// endpoint sends what every issuer must refuse: draft-ietf-privacypass-batched-
// tokens-07 asks for 415 where the content type is none of a token request.
func (l *linter) endpoint(ctx context.Context, target *url.URL) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), strings.NewReader("not a token request"))
	if err != nil {
		l.fail("issuer-request-uri cannot be requested: %v", err)
		return
	}
	req.Header.Set("Content-Type", "text/plain")
	resp, err := l.client.Do(req)
	if err != nil {
		l.fail("the issuance endpoint cannot be reached: %v", err)
		return
	}
	resp.Body.Close()
	switch code := resp.StatusCode; {
	case code == http.StatusUnsupportedMediaType:
		l.ok("the issuance endpoint refuses other content types")
	case code >= 500 || code < 400 || code == http.StatusNotFound || code == http.StatusMethodNotAllowed:
		l.fail("the issuance endpoint answers %d to a request of another content type", code)
	default:
		l.warn("the issuance endpoint answers %d instead of 415 to a request of another content type", code)
	}
}
