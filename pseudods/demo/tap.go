package demo

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/pseudods/pseudods/pseudods/httpapi"
)

// tap counts what clients send, by the role that it reaches.
type tap struct {
	mu     sync.Mutex
	counts map[string]*count
}

type count struct{ requests, octets int64 }

func newTap() *tap { return &tap{counts: map[string]*count{}} }

// RoundTrip implements [http.RoundTripper].
func (t *tap) RoundTrip(r *http.Request) (*http.Response, error) {
	t.mu.Lock()
	key := roleOf(r.URL.Path) + " " + strings.Trim(r.URL.Path, "/")
	c := t.counts[key]
	if c == nil {
		c = new(count)
		t.counts[key] = c
	}
	c.requests++
	c.octets += max(0, r.ContentLength)
	t.mu.Unlock()
	return http.DefaultTransport.RoundTrip(r)
}

func roleOf(path string) string {
	switch path {
	case httpapi.PathGroupOperation, httpapi.PathWelcomeInfo, httpapi.PathExternalCommitInfo:
		return "delivery service"
	case httpapi.PathConnectionRequest, httpapi.PathConnectionKeyPackages, httpapi.PathGroupKeyPackages, httpapi.PathQueueOperation, httpapi.PathQueueRead:
		return "queue service"
	case httpapi.PathProvider, httpapi.PathVerificationKey:
		return "anybody"
	}
	return "issuer"
}

func (t *tap) reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.counts)
}

// tell writes what each role was asked.
func (t *tap) tell(out io.Writer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, role := range []string{"issuer", "queue service", "delivery service"} {
		var parts []string
		for key, c := range t.counts {
			if path, ok := strings.CutPrefix(key, role+" "); ok {
				parts = append(parts, fmt.Sprintf("%d %s (%d octets)", c.requests, strings.ReplaceAll(path, "_", " "), c.octets))
			}
		}
		if len(parts) == 0 {
			parts = []string{"nothing"}
		}
		slices.Sort(parts)
		fmt.Fprintf(out, "   | %-16s saw %s\n", role, strings.Join(parts, ", "))
	}
}
