package httpapi

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"time"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// Streamer is a [Service] that also answers [PathQueueStream].
type Streamer interface {
	// Stream answers an encoded request to read a queue by responses as they come:
	// pages, and at last perhaps a refusal. It ends when the consumer stops, the
	// context ends or the service closes.
	Stream(ctx context.Context, request []byte) iter.Seq[[]byte]
}

// maxFrame bounds what a [Client] reads of one response of a stream.
const maxFrame = 8 << 20

// stream answers by responses, each after its length in 4 octets. Its status is
// that of the first.
func (h *Handler) stream(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	var code wire.Code
	body, operation, refused := h.request(PathQueueStream, r)
	defer func() { h.observe(PathQueueStream, operation, code, start) }()
	service, ok := h.cfg.QS.(Streamer)
	if refused == nil && !ok {
		refused = &wire.Error{Code: wire.CodeNotAllowed}
	}
	responses := func(yield func([]byte) bool) { yield(encodeRefusal(refused)) }
	if refused == nil {
		responses = service.Stream(r.Context(), body)
	}
	rc := http.NewResponseController(w)
	limit := func() { _ = rc.SetWriteDeadline(time.Now().Add(h.cfg.WriteTime)) }
	defer limit() // the end is written too
	first := true
	for response := range responses {
		if refused := refusalIn(response); refused != nil {
			code = refused.Code
		}
		// A reader that takes nothing for this long is cut off, so that what waits for
		// it is not kept in memory.
		limit()
		if first {
			w.Header().Set("Content-Type", MediaType)
			w.Header().Set("Cache-Control", "no-store")
			w.WriteHeader(statusOf(code))
			first = false
		}
		frame := append(binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(response)), uint32(len(response))), response...)
		if _, err := w.Write(frame); err != nil {
			return
		}
		if rc.Flush() != nil {
			return
		}
		// While nothing comes none is cut off, as HTTP/2 does when a deadline passes.
		_ = rc.SetWriteDeadline(time.Time{})
	}
}

// Stream sends an encoded request to read a queue and returns the bodies of the
// responses as they come. It ends without an error when the service ends the
// stream, after a [*wire.Error] if it refused, such as when a newer reader took
// over, and else after [ErrTransport]: then the reader goes on from what it has
// with a new request. The client's HTTP client must have no timeout.
func (c *Client) Stream(ctx context.Context, request []byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		res, err := c.openStream(ctx, request)
		if err != nil {
			yield(nil, err)
			return
		}
		defer res.Body.Close()
		for {
			body, err := readFrame(res)
			if err == io.EOF {
				return
			}
			if !yield(body, err) || err != nil {
				return
			}
		}
	}
}

func (c *Client) openStream(ctx context.Context, request []byte) (*http.Response, error) {
	u, err := url.JoinPath(c.base, PathQueueStream)
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
	if res.Header.Get("Content-Type") != MediaType {
		res.Body.Close()
		return nil, fmt.Errorf("%w: status %d", ErrTransport, res.StatusCode)
	}
	return res, nil
}

// readFrame returns the body of the next response, or io.EOF at the end.
func readFrame(res *http.Response) ([]byte, error) {
	var length [4]byte
	switch _, err := io.ReadFull(res.Body, length[:]); {
	case err == io.EOF:
		return nil, io.EOF
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrTransport, err)
	}
	n := binary.BigEndian.Uint32(length[:])
	if n > maxFrame {
		return nil, fmt.Errorf("%w: response of %d octets", ErrTransport, n)
	}
	// What is announced is not allocated before it is there.
	b, err := io.ReadAll(io.LimitReader(res.Body, int64(n)))
	if err == nil && len(b) < int(n) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTransport, err)
	}
	var r wire.Response
	if mls.UnmarshalWithin(mls.Limits{MaxBytes: maxFrame}, b, &r) != nil {
		return nil, fmt.Errorf("%w: status %d", ErrTransport, res.StatusCode)
	}
	if r.Err != nil {
		return nil, r.Err
	}
	return r.Body, nil
}
