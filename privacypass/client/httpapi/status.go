package httpapi

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// StatusError is an answer of the issuer that is not what was asked for.
type StatusError struct {
	Status int
	// Text is the beginning of what the issuer says: for people, and without
	// control characters.
	Text string
	// RetryAfter is zero if the issuer does not say when to ask again.
	RetryAfter time.Duration
}

func newStatusError(resp *http.Response, body []byte) *StatusError {
	e := &StatusError{Status: resp.StatusCode}
	e.Text = strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(body[:min(len(body), 256)]), "?")))
	if n, err := strconv.ParseUint(resp.Header.Get("Retry-After"), 10, 31); err == nil {
		e.RetryAfter = time.Duration(n) * time.Second
	}
	return e
}

func (e *StatusError) Error() string {
	text := fmt.Sprintf("the issuer answered %d: %s", e.Status, e.Text)
	if e.RetryAfter > 0 {
		text += fmt.Sprintf("; ask again in %d s", int(e.RetryAfter/time.Second))
	}
	return text
}

// Final reports whether the issuer will answer the same request alike for ever:
// it is malformed, or for a key or a number of tokens that are not to be had.
func (e *StatusError) Final() bool {
	switch e.Status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		return true
	}
	return false
}

// Exhausted reports whether the account has no tokens left for now.
func (e *StatusError) Exhausted() bool { return e.Status == http.StatusTooManyRequests }
