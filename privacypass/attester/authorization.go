package attester

import (
	"fmt"
	"slices"
	"strings"
)

// MaxAuthorization is the longest Authorization header value that is read, in
// octets.
const MaxAuthorization = 8 << 10

// Scheme returns the authentication scheme of an Authorization header value,
// in lower case, or "" if there is none.
func Scheme(authorization string) string {
	scheme, _, _ := strings.Cut(authorization, " ")
	if len(authorization) > MaxAuthorization || !isToken(scheme) {
		return ""
	}
	return strings.ToLower(scheme)
}

// Token68 reads a credential of the form `scheme token68` (RFC 9110, Section
// 11.2). The scheme is compared without regard to case.
func Token68(authorization, scheme string) (string, error) {
	rest, err := afterScheme(authorization, scheme)
	if err != nil {
		return "", err
	}
	body := strings.TrimRight(rest, "=")
	if body == "" || strings.ContainsFunc(body, func(r rune) bool { return !isAlphanumeric(r) && !strings.ContainsRune("-._~+/", r) }) {
		return "", fmt.Errorf("%w: not a token68", ErrMalformed)
	}
	return rest, nil
}

// Params reads a credential of the form `scheme name=value, name="value"`
// (RFC 9110, Section 11.2) that has exactly the named parameters, each once
// and not empty, in any order. Quoted values with backslashes are refused: no
// parameter of this package needs one.
func Params(authorization, scheme string, names ...string) (map[string]string, error) {
	rest, err := afterScheme(authorization, scheme)
	if err != nil {
		return nil, err
	}
	params := make(map[string]string, len(names))
	for len(params) < len(names) {
		name, after, ok := strings.Cut(rest, "=")
		if name = strings.ToLower(name); !ok || !slices.Contains(names, name) || params[name] != "" {
			return nil, fmt.Errorf("%w: unexpected parameter", ErrMalformed)
		}
		var value string
		if strings.HasPrefix(after, `"`) {
			value, after, ok = strings.Cut(after[1:], `"`)
			if !ok || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' || r == '\\' }) {
				return nil, fmt.Errorf("%w: bad quoted value", ErrMalformed)
			}
		} else {
			n := strings.IndexAny(after, ", \t")
			if n < 0 {
				n = len(after)
			}
			if value, after = after[:n], after[n:]; !isToken(value) {
				return nil, fmt.Errorf("%w: bad value", ErrMalformed)
			}
		}
		if value == "" {
			return nil, fmt.Errorf("%w: empty value", ErrMalformed)
		}
		params[name] = value
		if len(params) == len(names) {
			rest = after
			break
		}
		after, ok = strings.CutPrefix(strings.TrimLeft(after, " \t"), ",")
		if !ok {
			return nil, fmt.Errorf("%w: missing parameter", ErrMalformed)
		}
		rest = strings.TrimLeft(after, " \t")
	}
	if rest != "" {
		return nil, fmt.Errorf("%w: trailing octets", ErrMalformed)
	}
	return params, nil
}

func afterScheme(authorization, scheme string) (string, error) {
	got, rest, ok := strings.Cut(authorization, " ")
	switch {
	case len(authorization) > MaxAuthorization:
		return "", fmt.Errorf("%w: too long", ErrMalformed)
	case !ok || !strings.EqualFold(got, scheme):
		return "", fmt.Errorf("%w: wrong scheme", ErrMalformed)
	}
	return strings.TrimLeft(rest, " "), nil
}

func isAlphanumeric(r rune) bool {
	return '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

// isToken reports whether s is a token of RFC 9110, Section 5.6.2.
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !isAlphanumeric(r) && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}
