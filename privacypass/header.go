package privacypass

import (
	"errors"
	"strings"
)

// The most that header parsers accept.
const (
	// MaxHeaderSize bounds the sum of all values of a header field, in octets.
	MaxHeaderSize = 1 << 16
	maxChallenges = 64
	maxParams     = 32
)

var errHeader = errors.New("not a list of challenges")

// authItem is a challenge or credential of any scheme (RFC 9110, Section 11).
type authItem struct {
	scheme string
	params []authParam // of schemes other than PrivateToken they may be cut off by a token68
}

type authParam struct{ name, value string }

// get returns the value of the parameter of that name. Twice the same name, in
// whatever case, is an error.
func (a *authItem) get(name string) (value string, ok bool, err error) {
	for _, p := range a.params {
		if !strings.EqualFold(p.name, name) {
			continue
		}
		if ok {
			return "", false, errHeader
		}
		value, ok = p.value, true
	}
	return value, ok, nil
}

// parseAuth splits a field value into challenges. It is lenient in one place: a
// parameter's value may hold "=" and "/" without quotes, as deployed origins send
// base64 so.
func parseAuth(s string) ([]authItem, error) {
	var items []authItem
	p := headerParser{s}
	for {
		p.skip(" \t,")
		if p.rest == "" {
			return items, nil
		}
		scheme := p.token()
		if scheme == "" || len(items) == maxChallenges {
			return nil, errHeader
		}
		item := authItem{scheme: scheme}
		if err := p.params(&item); err != nil {
			return nil, err
		}
		items = append(items, item)
	}
}

type headerParser struct{ rest string }

func (p *headerParser) skip(cutset string) { p.rest = strings.TrimLeft(p.rest, cutset) }

// while cuts off the longest prefix whose characters all satisfy f.
func (p *headerParser) while(f func(byte) bool) string {
	n := 0
	for n < len(p.rest) && f(p.rest[n]) {
		n++
	}
	s := p.rest[:n]
	p.rest = p.rest[n:]
	return s
}

func (p *headerParser) token() string { return p.while(isTokenChar) }

// params reads what belongs to a scheme: a token68, or parameters up to the next
// scheme, which is a token without "=" behind it.
func (p *headerParser) params(item *authItem) error {
	if p.rest != "" && !strings.ContainsRune(" \t,", rune(p.rest[0])) {
		return errHeader // the scheme's name ends in a character that it cannot hold
	}
	p.skip(" \t")
	if p.token68() {
		return nil
	}
	for {
		p.skip(" \t,")
		before := p.rest
		name := p.token()
		p.skip(" \t")
		if name == "" && p.rest != "" {
			return errHeader
		}
		if !strings.HasPrefix(p.rest, "=") {
			p.rest = before // the next scheme, or the end
			return nil
		}
		p.rest = p.rest[1:]
		p.skip(" \t")
		value, err := p.value()
		if err != nil || len(item.params) == maxParams {
			return errHeader
		}
		item.params = append(item.params, authParam{name, value})
		if p.skip(" \t"); p.rest != "" && p.rest[0] != ',' {
			return errHeader
		}
	}
}

// token68 skips a token68, which is told from a parameter by what follows its
// run of "=": a comma or the end.
func (p *headerParser) token68() bool {
	before := p.rest
	body := p.while(isToken68Char)
	p.skip("=")
	p.skip(" \t")
	if body != "" && (p.rest == "" || p.rest[0] == ',') {
		return true
	}
	p.rest = before
	return false
}

func (p *headerParser) value() (string, error) {
	if !strings.HasPrefix(p.rest, `"`) {
		v := p.while(func(c byte) bool { return isTokenChar(c) || c == '=' || c == '/' })
		if v == "" {
			return "", errHeader
		}
		return v, nil
	}
	var b strings.Builder
	for i := 1; i < len(p.rest); i++ {
		c := p.rest[i]
		switch {
		case c == '"':
			p.rest = p.rest[i+1:]
			return b.String(), nil
		case c == '\\' && i+1 < len(p.rest):
			i++
			c = p.rest[i]
		}
		if c < ' ' && c != '\t' || c == 0x7f {
			return "", errHeader
		}
		b.WriteByte(c)
	}
	return "", errHeader
}

func isAlphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// isTokenChar is tchar of RFC 9110, Section 5.6.2.
func isTokenChar(c byte) bool {
	return isAlphanumeric(c) || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// isToken68Char is a character of token68 (RFC 9110, Section 11.2) but "=".
func isToken68Char(c byte) bool {
	return isAlphanumeric(c) || strings.IndexByte("-._~+/", c) >= 0
}

// quote writes a quoted-string.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
