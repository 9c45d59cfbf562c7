// Package secret holds key material so that it cannot be compared with ==,
// printed, logged or marshalled by accident.
//
// A [Bytes] keeps its octets behind a closure. A redacting String method alone
// is not enough: fmt and log/slog reach into unexported fields of an enclosing
// struct without calling it, and print what they find. A function value is all
// they can find here.
//
// The package makes no promise of erasing memory: Go's runtime may have copied
// a slice before [Bytes.Wipe] overwrites it. Wiping shortens the life of the
// copies this program knows of; it is not a defence against a reader of the
// process's memory.
package secret

import (
	"crypto/subtle"
	"errors"
	"log/slog"
)

// ErrMarshal is returned by every marshalling method of [Bytes].
var ErrMarshal = errors.New("secret: refusing to marshal a secret")

// Bytes is a secret octet string of any length. The zero value is the absent
// secret: its length is zero. Copies share the same octets.
type Bytes struct {
	bytes func() []byte
}

// New takes ownership of b: the caller must neither keep nor modify it.
func New(b []byte) Bytes {
	return Bytes{bytes: func() []byte { return b }}
}

// Clone copies b into a new secret. The caller keeps b.
func Clone(b []byte) Bytes {
	return New(append(make([]byte, 0, len(b)), b...))
}

// Reveal returns the octets themselves, not a copy, and nil for the zero value.
// Callers must not modify them, and must not store them in a struct that is
// printed, logged or encoded.
func (s Bytes) Reveal() []byte {
	if s.bytes == nil {
		return nil
	}
	return s.bytes()
}

// Len returns the length in octets.
func (s Bytes) Len() int { return len(s.Reveal()) }

// IsZero reports whether s is the absent secret.
func (s Bytes) IsZero() bool { return s.bytes == nil }

// Equal compares two secrets in time that depends on their lengths alone.
func (s Bytes) Equal(t Bytes) bool {
	return subtle.ConstantTimeCompare(s.Reveal(), t.Reveal()) == 1
}

// Wipe overwrites the octets with zeros. All copies of s see it.
func (s Bytes) Wipe() { clear(s.Reveal()) }

// String never shows the octets.
func (s Bytes) String() string { return "[secret]" }

// GoString never shows the octets.
func (s Bytes) GoString() string { return "[secret]" }

// LogValue never shows the octets.
func (s Bytes) LogValue() slog.Value { return slog.StringValue("[secret]") }

// MarshalJSON always fails with [ErrMarshal].
func (s Bytes) MarshalJSON() ([]byte, error) { return nil, ErrMarshal }

// MarshalText always fails with [ErrMarshal].
func (s Bytes) MarshalText() ([]byte, error) { return nil, ErrMarshal }

// MarshalBinary always fails with [ErrMarshal].
func (s Bytes) MarshalBinary() ([]byte, error) { return nil, ErrMarshal }
