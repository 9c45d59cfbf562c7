package httpapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// ErrTransport: a request got no response of this protocol. Whether the service
// acted on it is not known: the same request may be sent again, and a service
// that did act answers it the same way.
var ErrTransport = errors.New("httpapi: no response")

// maxResponse bounds what a [Client] reads of a response: an external joiner's
// tree is the largest there is.
const maxResponse = 64 << 20

// Client sends requests to a service over HTTP.
type Client struct {
	base string
	http *http.Client
}

// NewClient returns a client of the service at base, an absolute URL without a
// query. Plain HTTP is for loopback; it is the caller's to refuse elsewhere. A
// nil hc means [http.DefaultClient]; what the service can learn from connections
// is its affair.
func NewClient(base string, hc *http.Client) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || (u.Scheme != "https" && u.Scheme != "http") {
		return nil, fmt.Errorf("httpapi: %q is not a service's URL", base)
	}
	if hc == nil {
		hc = http.DefaultClient
	}
	return &Client{base: u.JoinPath().String(), http: hc}, nil
}

// Do sends an encoded request to the path of its operation and returns the body
// of the answer. It fails with a [*wire.Error] if the service refused, and with
// [ErrTransport] if there was no answer.
func (c *Client) Do(ctx context.Context, o wire.Operation, request []byte) ([]byte, error) {
	u, err := url.JoinPath(c.base, PathOf(o))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTransport, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u, bytes.NewReader(request))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTransport, err)
	}
	req.Header.Set("Content-Type", MediaType)
	res, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTransport, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxResponse+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTransport, err)
	}
	var r wire.Response
	if len(b) > maxResponse || mls.UnmarshalWithin(mls.Limits{MaxBytes: maxResponse}, b, &r) != nil {
		// A front end answered, or something that is no service at all.
		return nil, fmt.Errorf("%w: status %d", ErrTransport, res.StatusCode)
	}
	if r.Err != nil {
		return nil, r.Err
	}
	return r.Body, nil
}
