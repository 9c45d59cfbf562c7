package httpapi

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/privacypass/issuer"
)

// requestTimeout bounds the work on a request, waiting included.
const requestTimeout = 20 * time.Second

// serveRequest answers a token request of any kind.
func (h *Handler) serveRequest(w http.ResponseWriter, r *http.Request) {
	now := h.config.Clock()
	c, ok := h.class(r.PathValue("class"), now)
	if !ok {
		http.NotFound(w, r)
		return
	}
	started := time.Now()
	ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
	defer cancel()
	kind, reply, err := h.answer(w, r.WithContext(ctx), c, now)
	status := 0
	if err == nil {
		status = h.release(w, kind, reply)
	} else {
		status = h.refuse(w, err)
	}
	h.metrics.request(c.name, kind, status, time.Since(started))
}

// answer does the work of a request up to the reply that may be released: a
// status in two octets and the body.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, c *classView, now time.Time) (kind privacypass.Kind, reply []byte, err error) {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return 0, nil, privacypass.ErrMediaType
	}
	if kind, err = privacypass.KindOf(mediaType); err != nil {
		return 0, nil, err
	}
	body, err := readBody(w, r, c.maxBody)
	if err != nil {
		return kind, nil, err
	}
	request, err := c.issuer.Parse(kind, body)
	if err != nil {
		return kind, nil, err
	}
	if policy, _ := h.config.Allowances.Policy(c.name); !policy.Allows(request.Count()) {
		return kind, nil, attester.ErrBatchSize
	}
	asked := &attester.Request{
		Authorization: r.Header.Get("Authorization"),
		Issuer:        h.config.Name,
		Class:         c.name,
		MediaType:     kind.RequestMediaType(),
		Digest:        sha256.Sum256(body),
		Keys:          request.Keys(),
		Tokens:        request.Count(),
		Now:           now,
	}
	ticket, err := h.admit(r.Context(), asked)
	if err != nil {
		return kind, nil, err
	}
	if reply = ticket.Reply(); reply != nil {
		h.metrics.repeated.WithLabelValues(c.name).Inc()
		return kind, reply, nil
	}
	response, err := h.issue(r.Context(), request)
	if err != nil {
		return kind, nil, err
	}
	reply = binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(response.Body)), uint16(response.Status))
	reply, err = ticket.Settle(r.Context(), append(reply, response.Body...), response.Issued)
	if err == nil {
		h.metrics.issued(c, asked.Keys, response.Issued)
	}
	return kind, reply, err
}

// readBody reads the content if it is no longer than limit, and no more of it
// otherwise.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, errTooLong
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long):
		return nil, errTooLong
	case err != nil:
		return nil, errUnreadable
	}
	return body, nil
}

// admit has the request vouched for and looks at the account's allowance. No more
// requests than configured are with an attester at once: one that is slow, or that
// must work, costs memory for so many and no more, and the others' clients nothing.
func (h *Handler) admit(ctx context.Context, asked *attester.Request) (*attester.Ticket, error) {
	a := h.attesters[attester.Scheme(asked.Authorization)]
	if a == nil {
		return nil, fmt.Errorf("%w: no attestation that is understood here", attester.ErrMalformed)
	}
	if a.requests.Add(1) > int64(h.config.Attesting) {
		a.requests.Add(-1)
		return nil, errOverload
	}
	id, err := a.Attest(ctx, asked)
	a.requests.Add(-1)
	h.metrics.attestation(a.Scheme(), err)
	if err != nil {
		return nil, err
	}
	return h.config.Allowances.Admit(ctx, a.Scheme(), id, asked)
}

// issue does the private-key operations in their turn.
func (h *Handler) issue(ctx context.Context, request *issuer.Request) (*issuer.Response, error) {
	done, err := h.turn(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	response, err := request.Issue()
	if err == nil && response.Issued == 0 {
		err = errNoneIssued
	}
	return response, err
}

// release writes a settled reply and returns its status.
func (h *Handler) release(w http.ResponseWriter, kind privacypass.Kind, reply []byte) int {
	if len(reply) < 2 {
		return h.refuse(w, errStoredReply)
	}
	status := int(binary.BigEndian.Uint16(reply))
	if status != http.StatusOK && status != http.StatusPartialContent {
		return h.refuse(w, errStoredReply)
	}
	w.Header().Set("Content-Type", kind.ResponseMediaType())
	w.Header().Set("Content-Length", fmt.Sprint(len(reply)-2))
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write(reply[2:]) // who doesn't get it asks again
	return status
}
