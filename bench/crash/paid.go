package crash

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/httpapi"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// sum names what must not be in a record itself.
func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:12])
}

// cashier writes down which tokens paid for which requests, and for how long there
// was no answer.
type cashier struct {
	next   http.RoundTripper
	record *record

	// mu guards what follows.
	mu       sync.Mutex
	away     time.Time // begin of the first request that failed since one did not
	failures int
}

// send sends a request and notes whether it failed by no fault of its own.
func (c *cashier) send(req *http.Request) (*http.Response, error) {
	begun := time.Now()
	res, err := c.next.RoundTrip(req)
	if req.Context().Err() != nil {
		return res, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil || res.StatusCode >= http.StatusInternalServerError {
		if c.failures == 0 {
			c.away = begun
		}
		c.failures++
		return res, err
	}
	if c.failures == 0 || begun.Before(c.away) {
		return res, err
	}
	e := Entry{Kind: Away, Number: uint64(time.Since(c.away).Milliseconds()), Failures: c.failures}
	c.failures = 0
	if failed := c.record.put(e); failed != nil {
		res.Body.Close()
		return nil, failed
	}
	return res, nil
}

const maxRequest = 32 << 20

var spentStatus = httpapi.StatusOf(wire.CodeTokenSpent)

// RoundTrip implements [http.RoundTripper].
func (c *cashier) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodPost || req.Header.Get("Content-Type") != httpapi.MediaType || req.Body == nil {
		return c.send(req)
	}
	b, err := io.ReadAll(io.LimitReader(req.Body, maxRequest))
	req.Body.Close()
	if err != nil {
		return nil, err
	}
	again := req.Clone(req.Context())
	again.Body = io.NopCloser(bytes.NewReader(b))
	res, err := c.send(again)
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
