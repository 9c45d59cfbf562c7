package httpapi

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/privacypass/issuer"
)

var (
	errTooLong     = errors.New("httpapi: content too long")
	errUnreadable  = errors.New("httpapi: content could not be read")
	errNoneIssued  = errors.New("httpapi: no token of the batch could be issued")
	errOverload    = errors.New("httpapi: too many requests are waiting")
	errStoredReply = errors.New("httpapi: the stored reply is damaged")
)

// refusals maps errors to statuses and to the text that clients get. The first
// entry that fits counts; what fits none is a fault of the issuer.
var refusals = []struct {
	err    error
	status int
	text   string
}{
	{privacypass.ErrMediaType, http.StatusUnsupportedMediaType, "the content type is none of a token request"},
	{errTooLong, http.StatusRequestEntityTooLarge, "the request is longer than any that is accepted"},
	{errUnreadable, http.StatusBadRequest, "the request could not be read"},
	{errNoneIssued, http.StatusBadRequest, "no token of the batch could be issued"},
	{issuer.ErrUnknownKey, http.StatusUnprocessableEntity, "no such key"},
	{issuer.ErrUnprocessable, http.StatusUnprocessableEntity, "the request is malformed"},
	{attester.ErrBatchSize, http.StatusUnprocessableEntity, "that number of tokens is not allowed in one request"},
	{attester.ErrExhausted, http.StatusTooManyRequests, "the allowance is used up"},
	{attester.ErrMalformed, http.StatusUnauthorized, "an attestation is needed"},
	{attester.ErrRefused, http.StatusForbidden, "the attestation was refused"},
	{attester.ErrUnavailable, http.StatusServiceUnavailable, "the attestation cannot be checked now"},
	{attester.ErrPast, http.StatusServiceUnavailable, "try again later"},
	{errOverload, http.StatusServiceUnavailable, "too many requests"},
	{context.Canceled, http.StatusServiceUnavailable, "canceled"},
	{context.DeadlineExceeded, http.StatusServiceUnavailable, "it took too long"},
}

// retrySoon is the Retry-After of status 503, in seconds.
const retrySoon = "5"

// refuse writes the answer to an error and returns its status.
func (h *Handler) refuse(w http.ResponseWriter, err error) int {
	status, text := http.StatusInternalServerError, "internal error"
	for _, r := range refusals {
		if errors.Is(err, r.err) {
			status, text = r.status, r.text
			break
		}
	}
	switch status {
	case http.StatusInternalServerError:
		h.config.Logger.Error("request failed", "error", err)
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", retrySoon)
		if !errors.Is(err, context.Canceled) {
			h.config.Logger.Warn("request put off", "error", err)
		}
	case http.StatusUnauthorized:
		for _, scheme := range h.schemes {
			w.Header().Add("WWW-Authenticate", scheme)
		}
	case http.StatusTooManyRequests:
		var exhausted *attester.ExhaustedError
		if errors.As(err, &exhausted) && !exhausted.RetryAt.IsZero() {
			wait := exhausted.RetryAt.Sub(h.config.Clock()) + time.Second - 1
			w.Header().Set("Retry-After", strconv.Itoa(max(1, int(wait.Seconds()))))
		}
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, text, status)
	return status
}
