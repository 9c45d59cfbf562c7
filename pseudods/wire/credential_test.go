package wire

import (
	"bytes"
	"errors"
	"testing"

	"github.com/pseudods/pseudods/mls"
)

func credential() *PseudonymousCredential {
	return &PseudonymousCredential{Client: Pseudonym{1}, User: Pseudonym{2}, Provider: "example.org",
		UserAuthKey: make([]byte, 32), IdentityLink: make([]byte, minLink)}
}

func TestMemberName(t *testing.T) {
	full := credential()
	c, err := full.Credential()
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Identity) <= maxBare {
		t.Fatalf("a full credential of %d octets could be taken for a bare pseudonym", len(c.Identity))
	}
	m, err := ParseMemberName(ProfilePseudonymous, &c)
	if err != nil || m.Credential == nil || m.Client != string(full.Client[:]) || m.User != string(full.User[:]) {
		t.Errorf("full credential: %+v, %v", m, err)
	}
	for n := maxBare + 1; n < len(c.Identity); n++ {
		cut := mls.BasicCredential(c.Identity[:n])
		if _, err := ParseMemberName(ProfilePseudonymous, &cut); !errors.Is(err, ErrCredential) {
			t.Errorf("prefix of %d octets: %v", n, err)
		}
	}
	for n, ok := range map[int]bool{0: false, minBare - 1: false, minBare: true, maxBare: true, maxBare + 1: false} {
		bare := mls.BasicCredential(bytes.Repeat([]byte{9}, n))
		m, err := ParseMemberName(ProfilePseudonymous, &bare)
		if (err == nil) != ok || (ok && (m.Credential != nil || m.Client != m.User || len(m.Client) != n)) {
			t.Errorf("bare pseudonym of %d octets: %+v, %v", n, m, err)
		}
	}
	x509 := mls.Credential{Type: mls.CredentialTypeX509, Certificates: [][]byte{make([]byte, 64)}}
	if _, err := ParseMemberName(ProfilePseudonymous, &x509); !errors.Is(err, ErrCredential) {
		t.Errorf("certificate: %v", err)
	}
}

func TestCredentialOutOfBounds(t *testing.T) {
	for name, change := range map[string]func(*PseudonymousCredential){
		"no provider":   func(c *PseudonymousCredential) { c.Provider = "" },
		"long provider": func(c *PseudonymousCredential) { c.Provider = string(make([]byte, maxDomain+1)) },
		"short key":     func(c *PseudonymousCredential) { c.UserAuthKey = c.UserAuthKey[1:] },
		"short link":    func(c *PseudonymousCredential) { c.IdentityLink = c.IdentityLink[1:] },
		"long link":     func(c *PseudonymousCredential) { c.IdentityLink = make([]byte, maxLink+1) },
	} {
		c := credential()
		change(c)
		if _, err := c.Credential(); !errors.Is(err, mls.ErrEncode) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
