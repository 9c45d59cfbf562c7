package httpapi

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// Service answers encoded requests: a delivery service, a queue service, or a
// [Client] of one elsewhere. Handle always returns a response; a failure of the
// service itself is one with [wire.CodeInternal].
type Service interface {
	Handle(ctx context.Context, request []byte) (response []byte)
}

// Config configures a [Handler].
type Config struct {
	// DS and QS answer the operations of their role. A nil one is not served here.
	DS, QS Service
	// MaxRequest is the longest request in octets. 0 means 4 MiB.
	MaxRequest int64
	// Provider returns the present provider document. Nil for none.
	Provider func() *Provider
	// MaxWait is how long the QS lets a read wait.
	MaxWait time.Duration
	// WriteTime is how long a client may take to read an answer to a read, or one
	// response of a stream, before it is cut off. Default 30 s.
	WriteTime time.Duration
	// Else serves all other paths. Nil for none.
	Else http.Handler
	// Observe, if set, is told of each answered request.
	Observe func(Observation)
}

// Observation is what may be counted of a request. It holds nothing else on
// purpose.
type Observation struct {
	// Role is whose operation it was: "ds", "qs", or "none" for what is no request.
	Role string
	Path string
	Code wire.Code // 0 for none
	Took time.Duration
}

// Handler serves requests over HTTP.
type Handler struct {
	cfg Config
	mux *http.ServeMux
}

var _ http.Handler = (*Handler)(nil)

// NewHandler returns a handler.
func NewHandler(cfg Config) *Handler {
	if cfg.MaxRequest == 0 {
		cfg.MaxRequest = 4 << 20
	}
	if cfg.WriteTime == 0 {
		cfg.WriteTime = 30 * time.Second
	}
	h := &Handler{cfg: cfg, mux: http.NewServeMux()}
	for _, path := range []string{PathGroupOperation, PathWelcomeInfo, PathExternalCommitInfo, PathVerificationKey, PathConnectionRequest,
		PathDeliverMessage, PathConnectionKeyPackages, PathGroupKeyPackages, PathQueueOperation, PathQueueRead} {
		h.mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) { h.serve(path, w, r) })
	}
	h.mux.HandleFunc("POST "+PathQueueStream, h.stream)
	if cfg.Else != nil {
		h.mux.Handle("/", cfg.Else)
	}
	if cfg.Provider != nil {
		h.mux.HandleFunc("GET "+PathProvider, func(w http.ResponseWriter, _ *http.Request) {
			doc, err := cfg.Provider().Marshal()
			if err != nil {
				http.Error(w, "internal error", http.StatusInternalServerError)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Cache-Control", "public, max-age=300")
			w.Write(doc)
		})
	}
	return h
}

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

func (h *Handler) serve(path string, w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	response, operation, refused := h.answer(path, w, r)
	if response == nil {
		response = encodeRefusal(refused)
	} else {
		refused = refusalIn(response)
	}
	header, code := w.Header(), wire.Code(0)
	if refused != nil {
		code = refused.Code
		for _, c := range refused.Challenges {
			header.Add("WWW-Authenticate", c)
		}
		if code == wire.CodeRateLimited {
			header.Set("Retry-After", strconv.FormatUint(uint64(refused.RetryAfter), 10))
		}
	}
	header.Set("Content-Type", MediaType)
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(statusOf(code))
	w.Write(response)
	h.observe(path, operation, code, start)
}

func (h *Handler) observe(path string, o wire.Operation, code wire.Code, start time.Time) {
	if h.cfg.Observe == nil {
		return
	}
	role := "none"
	switch {
	case o.IsGroup():
		role = "ds"
	case o.IsQueue():
		role = "qs"
	}
	h.cfg.Observe(Observation{Role: role, Path: path, Code: code, Took: time.Since(start)})
}

func encodeRefusal(refused *wire.Error) []byte {
	b, err := mls.Marshal(&wire.Response{Err: refused})
	if err != nil {
		panic("httpapi: refusal has no encoding")
	}
	return b
}

// statusOf is StatusOf, or 200 for no refusal.
func statusOf(c wire.Code) int {
	if c == 0 {
		return http.StatusOK
	}
	return StatusOf(c)
}

// answer returns a service's response, or nil and why none was asked.
func (h *Handler) answer(path string, w http.ResponseWriter, r *http.Request) ([]byte, wire.Operation, *wire.Error) {
	body, operation, refused := h.request(path, r)
	if refused != nil {
		return nil, operation, refused
	}
	service := h.cfg.DS
	if operation.IsQueue() {
		service = h.cfg.QS
	}
	if service == nil {
		return nil, operation, &wire.Error{Code: wire.CodeNotAllowed}
	}
	if path == PathQueueRead {
		// The answer may take longer than others. Where there are no deadlines this
		// fails, which is fine.
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(h.cfg.MaxWait + h.cfg.WriteTime))
	}
	return service.Handle(r.Context(), body), operation, nil
}

// request reads a request, and returns what it is for, or why it goes to nobody.
// The operation is 0 if it is not one.
func (h *Handler) request(path string, r *http.Request) ([]byte, wire.Operation, *wire.Error) {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != MediaType {
		return nil, 0, &wire.Error{Code: wire.CodeMalformed}
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, h.cfg.MaxRequest))
	if tooLong := new(http.MaxBytesError); errors.As(err, &tooLong) {
		return nil, 0, &wire.Error{Code: wire.CodeTooLarge}
	} else if err != nil {
		return nil, 0, &wire.Error{Code: wire.CodeMalformed}
	}
	// The service decodes the request once more. Nothing that is decided here may
	// be relied on there.
	request, err := wire.ParseRequest(body, len(body))
	switch {
	case errors.Is(err, wire.ErrVersion):
		return nil, 0, &wire.Error{Code: wire.CodeUnsupportedVersion}
	case err != nil, PathOf(request.Operation) != path && (path != PathQueueStream || request.Operation != wire.OpReadQueue):
		return nil, 0, &wire.Error{Code: wire.CodeMalformed}
	}
	return body, request.Operation, nil
}

// refusalIn returns the error inside a response, nil if it is an answer. A
// response that does not decode is an internal error of whoever made it.
func refusalIn(response []byte) *wire.Error {
	var r wire.Response
	if mls.Unmarshal(response, &r) != nil {
		return &wire.Error{Code: wire.CodeInternal}
	}
	return r.Err
}
