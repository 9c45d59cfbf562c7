package httpapi

import (
	"bytes"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/privacypass/client"
)

// FuzzRequest sends arbitrary requests: each is answered with a status that the
// package comment lists, and what is issued once is issued again.
func FuzzRequest(f *testing.F) {
	h := newFixture(f, new(attester.Memory), privacypass.VOPRFRistretto255, privacypass.VOPRFP384)
	w := h.want(f, "default", privacypass.VOPRFRistretto255)
	for _, p := range []*client.Pending{
		pending(f)(client.Single(rand.Reader, w)), pending(f)(client.Amortized(rand.Reader, w, 2)), pending(f)(client.Generic(rand.Reader, []client.Want{w, w})),
	} {
		f.Add("Trust alice", p.Kind().RequestMediaType(), p.Request())
	}
	f.Add("Invite aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "application/private-token-request; a=b", []byte{0, 5})
	f.Fuzz(func(t *testing.T, authorization, mediaType string, body []byte) {
		answer := h.send("/default", authorization, mediaType, body)
		switch answer.Code {
		case 200, 206:
			if again := h.send("/default", authorization, mediaType, body); again.Code != answer.Code || !bytes.Equal(again.Body.Bytes(), answer.Body.Bytes()) {
				t.Errorf("repeated: %d, then %d", answer.Code, again.Code)
			}
		case 400, 401, 403, 413, 415, 422, 429, 503:
		default:
			t.Errorf("status %d: %s", answer.Code, h.log)
		}
	})
}

// FuzzGet asks for arbitrary paths.
func FuzzGet(f *testing.F) {
	h := newFixture(f, new(attester.Memory), privacypass.VOPRFRistretto255)
	f.Add("/default"+privacypass.DirectoryPath, `"x"`)
	f.Add(attester.DescriptionPath, "")
	f.Fuzz(func(t *testing.T, path, etag string) {
		r := &http.Request{Method: "GET", URL: &url.URL{Path: path}, Host: name, Header: http.Header{"If-None-Match": {etag}}}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		switch w.Code {
		case 200, 301, 304, 307, 308, 404, 405, 412:
		default:
			t.Errorf("%q: status %d", path, w.Code)
		}
	})
}
