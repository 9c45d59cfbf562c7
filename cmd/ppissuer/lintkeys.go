package main

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/client"
)

const (
	maxLive    = 2
	farFuture  = 90 * 24 * time.Hour
	maxSeconds = 1 << 35 // the year 3058; what is larger counts milliseconds
)

// listed is a directory read with more patience than clients have, so that each
// fault gets a finding of its own.
type listed struct {
	RequestURI string `json:"issuer-request-uri"`
	Keys       []struct {
		Type      *int    `json:"token-type"`
		Key       *string `json:"token-key"`
		NotBefore *int64  `json:"not-before"`
	} `json:"token-keys"`
}

// content examines what the directory says and returns its issuer-request-uri, or
// "" if there is none.
func (l *linter) content(body []byte) string {
	var d listed
	if err := json.Unmarshal(body, &d); err != nil {
		l.fail("not the JSON of a directory: %v", err)
		return ""
	}
	if d.RequestURI == "" {
		l.fail("issuer-request-uri is missing")
	}
	if len(d.Keys) == 0 {
		l.fail("token-keys is empty")
	}
	k := &keyLinter{linter: l, types: make(map[privacypass.TokenType]*typeKeys)}
	for i, key := range d.Keys {
		if key.Type == nil || *key.Type < 0 || *key.Type > 0xffff || key.Key == nil {
			l.fail("key %d: token-type or token-key is missing or out of range", i+1)
			continue
		}
		var notBefore int64
		if key.NotBefore != nil {
			notBefore = *key.NotBefore
		}
		k.key(i+1, privacypass.TokenType(*key.Type), *key.Key, notBefore)
	}
	k.summary()
	_, err := privacypass.ParseDirectory(body)
	l.verdict(err == nil, "strict clients can read it", "strict clients refuse it: %v", err)
	return d.RequestURI
}

// keyLinter looks at one key after the other and remembers what matters between
// them.
type keyLinter struct {
	*linter
	order []privacypass.TokenType
	types map[privacypass.TokenType]*typeKeys
}

// typeKeys is what is known of the keys of one type.
type typeKeys struct {
	total, usable int
	first         bool // whether the first key listed is usable
	seen          map[privacypass.KeyID]bool
	truncated     map[uint8]bool
}

func (l *keyLinter) key(n int, t privacypass.TokenType, text string, notBefore int64) {
	of := l.types[t]
	if of == nil {
		of = &typeKeys{seen: make(map[privacypass.KeyID]bool), truncated: make(map[uint8]bool)}
		l.types[t] = of
		l.order = append(l.order, t)
	}
	of.total++
	encoded, err := base64.URLEncoding.Strict().DecodeString(text)
	if err != nil {
		encoded, err = base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
		if err != nil {
			l.fail("key %d: token-key is not base64url", n)
			return
		}
		l.warn("key %d: token-key is base64url without its padding", n)
	}
	if _, err := t.Params(); err == nil {
		_, err := client.ParsePublicKey(t, encoded)
		l.verdict(err == nil, "key "+hex.EncodeToString(encoded[:min(4, len(encoded))])+"... of type "+t.String()+" is well encoded",
			"key %d: not a public key of type %v: %v", n, t, err)
	} else if t.IsGrease() {
		l.ok("key %d has the reserved type %v", n, t)
	} else {
		l.warn("key %d: type %v is unknown here and was not examined", n, t)
	}
	id := privacypass.KeyIDOf(encoded)
	if of.seen[id] {
		l.fail("key %d is listed twice", n)
	} else if of.truncated[id.Truncated()] {
		l.fail("key %d has the truncated identifier %#02x of another key of its type: requests cannot tell them apart", n, id.Truncated())
	}
	of.seen[id], of.truncated[id.Truncated()] = true, true
	if l.start(n, notBefore) {
		of.first = of.first || of.total == 1
		of.usable++
	}
}

// start looks at a not-before time and reports whether it has come.
func (l *keyLinter) start(n int, notBefore int64) bool {
	if notBefore < 0 || notBefore > maxSeconds {
		l.fail("key %d: not-before is %d, which is not in seconds since 1970", n, notBefore)
		return false
	}
	wait := time.Unix(notBefore, 0).Sub(l.now)
	switch {
	case wait <= 0:
		return true
	case wait > farFuture:
		l.warn("key %d starts only in %v", n, wait.Round(time.Hour))
	default:
		l.ok("key %d starts in %v", n, wait.Round(time.Second))
	}
	return false
}

func (l *keyLinter) summary() {
	for _, t := range l.order {
		of := l.types[t]
		switch {
		case of.total > maxLive:
			l.fail("type %v has %d keys: with more than %d, clients can be sorted by the key they are given", t, of.total, maxLive)
		case of.usable == 0:
			l.fail("type %v has no key that can be used now", t)
		case !of.first:
			l.warn("type %v: the preferred key cannot be used yet, and some clients take the first", t)
		default:
			l.ok("type %v has %d live keys, %d of them in use", t, of.total, of.usable)
		}
	}
}
