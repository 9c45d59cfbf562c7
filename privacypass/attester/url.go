package attester

import (
	"errors"
	"net/netip"
	"net/url"
)

// ErrURL: a URL of an outside system that would be reached without TLS.
var ErrURL = errors.New("attester: the URL must be https, or http on loopback")

// CheckURL returns [ErrURL] unless raw is an absolute https URL, or an http URL
// on loopback.
func CheckURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return ErrURL
	}
	ip, err := netip.ParseAddr(u.Hostname())
	local := u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
	if u.Scheme != "https" && !(u.Scheme == "http" && local) {
		return ErrURL
	}
	return nil
}
