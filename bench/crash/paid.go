package crash

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/httpapi"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// sum names what must not be in a record itself.
func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:12])
}

// cashier writes down which tokens paid for which requests.
type cashier struct {
	next   http.RoundTripper
	record *record
}

const maxRequest = 32 << 20

var spentStatus = httpapi.StatusOf(wire.CodeTokenSpent)

// RoundTrip implements [http.RoundTripper].
func (c *cashier) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodPost || req.Header.Get("Content-Type") != httpapi.MediaType || req.Body == nil {
		return c.next.RoundTrip(req)
	}
	b, err := io.ReadAll(io.LimitReader(req.Body, maxRequest))
	req.Body.Close()
	if err != nil {
		return nil, err
	}
	again := req.Clone(req.Context())
	again.Body = io.NopCloser(bytes.NewReader(b))
	res, err := c.next.RoundTrip(again)
	request, notOne := wire.ParseRequest(b, maxRequest)
	if err != nil || notOne != nil || len(request.Tokens) == 0 {
		return res, err
	}
	e := Entry{Kind: Paid, Sum: sum(b)}
	for _, token := range request.Tokens {
		e.Tokens = append(e.Tokens, sum(token))
	}
	switch res.StatusCode {
	case http.StatusOK:
	case spentStatus:
		if e.Kind, err = Double, c.isSpent(res); err != nil {
			return res, nil
		}
	default:
		return res, nil
	}
	if err := c.record.put(e); err != nil {
		res.Body.Close()
		return nil, err
	}
	return res, nil
}

// isSpent reads the answer, as other refusals have the same status, and puts it
// back.
func (c *cashier) isSpent(res *http.Response) error {
	b, err := io.ReadAll(io.LimitReader(res.Body, maxRequest))
	res.Body.Close()
	res.Body = io.NopCloser(bytes.NewReader(b))
	if err != nil {
		return err
	}
	var answer wire.Response
	if err := mls.Unmarshal(b, &answer); err != nil || answer.Err == nil || answer.Err.Code != wire.CodeTokenSpent {
		return errors.New("crash: another refusal")
	}
	return nil
}
