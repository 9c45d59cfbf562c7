package httpapi

import (
	"net/http"
	"strings"
	"testing"

	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/attester"
)

func TestDirectoryCaching(t *testing.T) {
	f := newFixture(t, new(attester.Memory), privacypass.VOPRFRistretto255)
	first := f.get(privacypass.DirectoryPath)
	status(t, first, 200)
	for header, want := range map[string]string{
		"Content-Type": "application/private-token-issuer-directory", "Cache-Control": "public, max-age=3600", "X-Content-Type-Options": "nosniff",
	} {
		if got := first.Header().Get(header); got != want {
			t.Errorf("%s: %q, want %q", header, got, want)
		}
	}
	etag := first.Header().Get("ETag")
	if len(etag) < 20 || etag[0] != '"' {
		t.Fatalf("ETag %s", etag)
	}
	for _, known := range []string{etag, "W/" + etag, `"x", ` + etag, "*"} {
		again := f.get(privacypass.DirectoryPath, "If-None-Match", known)
		if again.Code != 304 || again.Body.Len() != 0 || again.Header().Get("ETag") != etag || again.Header().Get("Cache-Control") == "" {
			t.Errorf("If-None-Match %s: %d with %d octets, %v", known, again.Code, again.Body.Len(), again.Header())
		}
	}
	status(t, f.get(privacypass.DirectoryPath, "If-None-Match", `"x"`), 200)
	head := f.do("HEAD", privacypass.DirectoryPath, nil, nil)
	if head.Code != 200 || head.Body.Len() != 0 || head.Header().Get("ETag") != etag {
		t.Errorf("HEAD: %d with %d octets", head.Code, head.Body.Len())
	}
	f.sleep(t, 27*day)
	if f.get(privacypass.DirectoryPath).Header().Get("ETag") != etag {
		t.Error("the ETag changed and the keys did not")
	}
	f.sleep(t, day)
	status(t, f.get(privacypass.DirectoryPath, "If-None-Match", etag), 200)
}

func TestDirectoryClasses(t *testing.T) {
	f := newFixture(t, new(attester.Memory), allTypes...)
	root, class := f.get(privacypass.DirectoryPath), f.get("/default"+privacypass.DirectoryPath)
	if root.Body.String() != class.Body.String() {
		t.Error("the default class has two directories")
	}
	d := f.directory(t, "default")
	if d.RequestURI != "/default/token-request" || len(d.Keys) != 3 {
		t.Fatalf("%+v", d)
	}
	for i, k := range d.Keys {
		if k.TokenType != allTypes[i] || k.NotBefore != uint64(noon.Unix()) {
			t.Errorf("key %d is of type %v, starts %d", i, k.TokenType, k.NotBefore)
		}
	}
	if other := f.directory(t, "create"); other.RequestURI != "/create/token-request" || len(other.Keys) != 1 || other.Keys[0].ID() == d.Keys[0].ID() {
		t.Errorf("class create: %+v", other)
	}
	status(t, f.get("/nothing"+privacypass.DirectoryPath), 404)
	status(t, f.get("/default/token-request"), 405)
	status(t, f.do("POST", privacypass.DirectoryPath, nil, nil), 405)
	status(t, f.get("/"), 404)
}

// TestDirectoryOrder follows a key through its life: after the key in use while
// it is announced, before it from its start.
func TestDirectoryOrder(t *testing.T) {
	f := newFixture(t, new(attester.Memory), privacypass.VOPRFRistretto255)
	old := f.directory(t, "default").Keys[0]
	f.sleep(t, 28*day)
	d := f.directory(t, "default")
	if len(d.Keys) != 2 || d.Keys[0].ID() != old.ID() || d.Keys[1].NotBefore != uint64(noon.Add(30*day).Unix()) {
		t.Fatalf("announced: %+v", d)
	}
	next := d.Keys[1]
	f.sleep(t, 2*day)
	if d = f.directory(t, "default"); len(d.Keys) != 2 || d.Keys[0].ID() != next.ID() || d.Keys[1].ID() != old.ID() {
		t.Fatalf("started: %+v", d)
	}
	f.sleep(t, 7*day)
	if d = f.directory(t, "default"); len(d.Keys) != 1 || d.Keys[0].ID() != next.ID() {
		t.Fatalf("retired: %+v", d)
	}
}

func TestDescription(t *testing.T) {
	f := newFixture(t, new(attester.Memory), allTypes...)
	w := f.get(attester.DescriptionPath)
	status(t, w, 200)
	d, err := attester.ParseDescription(w.Body.Bytes())
	if err != nil || d.Issuer != name || len(d.Classes) != 2 || d.Classes[1].Name != "create" || len(d.Attesters) != 2 || d.PeriodSeconds != 86400 {
		t.Fatalf("%+v, %v", d, err)
	}
	if w.Header().Get("Cache-Control") == "" || !strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") {
		t.Errorf("%v", w.Header())
	}
	status(t, f.get(d.Classes[1].Directory), http.StatusOK)
}
