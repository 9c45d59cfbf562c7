package httpapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// pages is a service whose streams are what next says.
type pages struct {
	echo
	next func(ctx context.Context, yield func(*wire.Response) bool)
}

func (p *pages) Stream(ctx context.Context, _ []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		p.next(ctx, func(r *wire.Response) bool {
			b, err := mls.Marshal(r)
			if err != nil {
				panic(err)
			}
			return yield(b)
		})
	}
}

func TestStream(t *testing.T) {
	for name, tc := range map[string]struct {
		responses []*wire.Response
		status    int
		end       error
	}{
		"pages, then the end":     {[]*wire.Response{{Body: []byte("a")}, {Body: nil}, {Body: bytes.Repeat([]byte("b"), 1<<20)}}, 200, nil},
		"replaced":                {[]*wire.Response{{Body: []byte("a")}, {Err: &wire.Error{Code: wire.CodeReplaced}}}, 200, &wire.Error{Code: wire.CodeReplaced}},
		"refused from the outset": {[]*wire.Response{{Err: &wire.Error{Code: wire.CodeStale}}}, StatusOf(wire.CodeStale), &wire.Error{Code: wire.CodeStale}},
	} {
		t.Run(name, func(t *testing.T) {
			var observed []wire.Code
			done := make(chan struct{})
			s, c := serve(t, Config{QS: &pages{next: func(_ context.Context, yield func(*wire.Response) bool) {
				for _, r := range tc.responses {
					if !yield(r) {
						return
					}
				}
			}}, Observe: func(o Observation) {
				observed = append(observed, o.Code)
				close(done)
			}})
			request := encoded(t, wire.OpReadQueue, nil)
			var bodies int
			var end error
			for body, err := range c.Stream(t.Context(), request) {
				if err != nil {
					end = err
					break
				}
				if !bytes.Equal(body, tc.responses[bodies].Body) {
					t.Errorf("page %d: %d octets", bodies, len(body))
				}
				bodies++
			}
			want := len(tc.responses)
			if tc.end != nil {
				want--
			}
			if bodies != want || !errors.Is(end, tc.end) || (end == nil) != (tc.end == nil) {
				t.Errorf("%d pages, then %v", bodies, end)
			}
			<-done
			if len(observed) != 1 || (observed[0] == 0) != (tc.end == nil) {
				t.Errorf("observed %v", observed)
			}
			done = make(chan struct{})
			res, err := http.Post(s.URL+PathQueueStream, MediaType, bytes.NewReader(request))
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, res.Body)
			res.Body.Close()
			if res.StatusCode != tc.status {
				t.Errorf("status %d", res.StatusCode)
			}
		})
	}
}

func TestStreamRefused(t *testing.T) {
	s, c := serve(t, Config{QS: new(echo)}) // which cannot stream
	for name, request := range map[string][]byte{
		"not a read":      encoded(t, wire.OpAckQueue, nil),
		"malformed":       {1, 2, 3},
		"no such service": encoded(t, wire.OpReadQueue, nil),
	} {
		var got error
		for _, err := range c.Stream(t.Context(), request) {
			got = err
		}
		if refused := new(wire.Error); !errors.As(got, &refused) {
			t.Errorf("%s: %v", name, got)
		}
	}
	s.Close()
	for _, err := range c.Stream(t.Context(), nil) {
		if !errors.Is(err, ErrTransport) {
			t.Errorf("no server: %v", err)
		}
	}
}

// TestStreamCutShort: what is no whole response is told apart from the end.
func TestStreamCutShort(t *testing.T) {
	whole := []byte{0, 0, 0, 4, 0, 1, 0, 0} // an empty answer
	for name, tc := range map[string]struct {
		body string
		want error
	}{
		"none":          {"", nil},
		"one":           {string(whole), nil},
		"half a length": {string(whole) + "\x00\x00", ErrTransport},
		"half a page":   {string(whole[:6]), ErrTransport},
		"endless":       {"\xff\xff\xff\xff", ErrTransport},
		"no response":   {"\x00\x00\x00\x01\x00", ErrTransport},
		"trailing":      {"\x00\x00\x00\x05\x00\x01\x00\x00\x00", ErrTransport},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", MediaType)
			io.WriteString(w, tc.body)
		}))
		c, err := NewClient(s.URL, s.Client())
		if err != nil {
			t.Fatal(err)
		}
		var got error
		for _, err := range c.Stream(t.Context(), nil) {
			got = err
		}
		if !errors.Is(got, tc.want) || (got == nil) != (tc.want == nil) {
			t.Errorf("%s: %v", name, got)
		}
		s.Close()
	}
}

// TestStuckReaderIsCut: a client that asks for a stream and takes nothing of it
// holds a page for as long as it may take to read one, not longer.
func TestStuckReaderIsCut(t *testing.T) {
	ended := make(chan struct{})
	s, _ := serve(t, Config{WriteTime: 200 * time.Millisecond, QS: &pages{next: func(_ context.Context, yield func(*wire.Response) bool) {
		defer close(ended)
		for page := (&wire.Response{Body: make([]byte, 1<<20)}); yield(page); {
		}
	}}})
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	request := encoded(t, wire.OpReadQueue, nil)
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: qs\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", PathQueueStream, MediaType, len(request), request)
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Fatal("the stream goes on")
	}
}

// pipes is a network without a kernel, whose deadlines are in virtual time.
type pipes struct {
	accepted chan net.Conn
	closed   chan struct{}
	once     sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.accepted:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.accepted <- far:
		return near, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// overPipes starts a server on pipes and returns a client of it.
func overPipes(t *testing.T, s *httptest.Server, start func()) *Client {
	t.Helper()
	s.Listener.Close()
	p := &pipes{accepted: make(chan net.Conn), closed: make(chan struct{})}
	s.Listener = p
	start()
	s.Client().Transport.(*http.Transport).DialContext = p.dial
	c, err := NewClient(s.URL, s.Client())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestIdleStreamStays: a stream on which nothing comes for longer than a client may
// take to read is not cut off, in either version of HTTP.
func TestIdleStreamStays(t *testing.T) {
	for _, version := range []int{1, 2} {
		synctest.Test(t, func(t *testing.T) { testIdleStreamStays(t, version) })
	}
}

func testIdleStreamStays(t *testing.T, version int) {
	s := httptest.NewUnstartedServer(NewHandler(Config{WriteTime: 100 * time.Millisecond, QS: &pages{next: func(ctx context.Context, yield func(*wire.Response) bool) {
		for range 2 {
			if !yield(&wire.Response{Body: []byte("page")}) {
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(400 * time.Millisecond):
			}
		}
	}}}))
	s.EnableHTTP2 = version == 2
	c := overPipes(t, s, s.StartTLS)
	defer s.Close()
	got := 0
	for _, err := range c.Stream(t.Context(), encoded(t, wire.OpReadQueue, nil)) {
		if err != nil {
			t.Errorf("HTTP/%d: after %d pages: %v", version, got, err)
			break
		}
		got++
	}
	if got != 2 {
		t.Errorf("HTTP/%d: %d pages", version, got)
	}
}

// waiting answers when it is told, unless the request's context ends.
type waiting struct{ echo }

func (w *waiting) Handle(ctx context.Context, request []byte) []byte {
	select {
	case <-ctx.Done():
		w.err = &wire.Error{Code: wire.CodeInternal}
	case <-time.After(500 * time.Millisecond):
	}
	return w.echo.Handle(ctx, request)
}

// TestWaitOutlastsDeadlines: a read may wait for longer than other requests may
// take.
func TestWaitOutlastsDeadlines(t *testing.T) { synctest.Test(t, testWaitOutlastsDeadlines) }

func testWaitOutlastsDeadlines(t *testing.T) {
	s := httptest.NewUnstartedServer(NewHandler(Config{QS: new(waiting), MaxWait: time.Second}))
	s.Config.ReadTimeout, s.Config.WriteTimeout = 100*time.Millisecond, 200*time.Millisecond
	c := overPipes(t, s, s.Start)
	defer s.Close()
	if _, err := c.Do(t.Context(), wire.OpReadQueue, encoded(t, wire.OpReadQueue, []byte("x"))); err != nil {
		t.Errorf("a waiting read: %v", err)
	}
}

// FuzzStreamFrames: no octets make the client fail in another way than by an
// error, or take more than a frame's bound.
func FuzzStreamFrames(f *testing.F) {
	f.Add([]byte{0, 0, 0, 4, 0, 1, 0, 0})
	f.Add([]byte{0, 0, 0, 5, 0, 1, 1, 0, 19})
	f.Fuzz(func(t *testing.T, b []byte) {
		res := &http.Response{StatusCode: 200, Body: io.NopCloser(bytes.NewReader(b))}
		for {
			if _, err := readFrame(res); err != nil {
				refused := new(wire.Error)
				if err != io.EOF && !errors.Is(err, ErrTransport) && !errors.As(err, &refused) {
					t.Fatal(err)
				}
				return
			}
		}
	})
}
