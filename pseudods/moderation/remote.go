package moderation

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/pseudods/pseudods/pseudods/seal"
)

// maxPage bounds an answer of the admin listener, in octets: [MaxList] cases, of
// which stores list fewer if they are large.
const maxPage = 64 << 20

// ErrRemote: the server does not answer at its admin address, or not as it should.
var ErrRemote = errors.New("moderation: no answer from the server's admin address")

// Remote reaches the docket of a running server.
type Remote struct {
	// URL is that of its admin listener.
	URL string
	// Authorize lets requests say that their sender may.
	Authorize func(*http.Request)
	HTTP      *http.Client
}

// Remoted is a case as a server has it.
type Remoted struct {
	ID CaseID
	// Case is nil if the case is decided, and Decided says how.
	Case    *Case
	Decided string
}

func (r *Remote) do(ctx context.Context, method, path string, body, into any) error {
	var content io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		content = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, r.URL+AdminPath+path, content)
	if err != nil {
		return err
	}
	r.Authorize(req)
	res, err := r.HTTP.Do(req)
	if err != nil {
		return ErrRemote
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxPage))
	if err != nil {
		return ErrRemote
	}
	if res.StatusCode == http.StatusOK {
		if json.Unmarshal(b, into) != nil {
			return ErrRemote
		}
		return nil
	}
	text := strings.TrimSpace(string(b))
	for _, s := range statuses {
		if res.StatusCode == s.status && text == s.err.Error() {
			return s.err
		}
	}
	return fmt.Errorf("%w: status %d", ErrRemote, res.StatusCode)
}

func (c *sealedCase) parse() (*Remoted, error) {
	id, err := ParseCaseID(c.Case)
	switch {
	case err != nil, c.State == Open.String() && len(c.Commitment) != 32:
		return nil, ErrRemote
	case c.State != Open.String():
		return &Remoted{ID: id, Decided: c.State}, nil
	}
	return &Remoted{ID: id, Case: &Case{Day: c.Day, Commitment: [32]byte(c.Commitment), Sealed: c.Sealed}}, nil
}

// Each calls f with every open case, in the order of their names.
func (r *Remote) Each(ctx context.Context, f func(*Remoted) error) error {
	for from := ""; ; {
		var page sealedPage
		if err := r.do(ctx, http.MethodGet, "?"+url.Values{"from": {from}}.Encode(), nil, &page); err != nil {
			return err
		}
		for i := range page.Cases {
			c, err := page.Cases[i].parse()
			if err == nil {
				err = f(c)
			}
			if err != nil {
				return err
			}
		}
		if page.Next == "" || page.Next <= from {
			return nil
		}
		from = page.Next
	}
}

// Case returns a case. It fails with [ErrNoCase] or [ErrRemote].
func (r *Remote) Case(ctx context.Context, id CaseID) (*Remoted, error) {
	var c sealedCase
	if err := r.do(ctx, http.MethodGet, "/"+id.String(), nil, &c); err != nil {
		return nil, err
	}
	return c.parse()
}

// Open opens a case with one of the keys. It returns nil for one that is decided.
func (c *Remoted) Open(keys []*seal.PrivateKey) (*Opened, error) {
	if c.Case == nil {
		return nil, nil
	}
	return OpenWith(keys, c.ID, c.Case)
}

// Shown returns the case as it is shown. opened may be nil.
func (c *Remoted) Shown(opened *Opened) *Shown {
	s := Show(c.ID, c.Case, Outcome{}, opened)
	if c.Case == nil {
		s.State = c.Decided
	}
	return s
}

// Decide decides a case; opening may be nil unless it is upheld. It fails with
// [ErrNoCase], [ErrDecided], [ErrOpening] or [ErrRemote].
func (r *Remote) Decide(ctx context.Context, id CaseID, o Outcome, opening *Opening) error {
	d := decision{State: o.State.String()}
	if o.State == Upheld {
		d.Weight = o.Weight.String()
	}
	if opening != nil {
		b, err := opening.marshal()
		if err != nil {
			return err
		}
		d.Opening = b
	}
	return r.do(ctx, http.MethodPost, "/"+id.String(), &d, new(sealedCase))
}
