package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Kind says what needles are of, such as "pseudonym" or "queue". At most
// [MaxKinds] are looked for at once.
type Kind string

// MaxKinds is how many kinds one scanner can tell apart.
const MaxKinds = 64

// The octets of a needle: fewer, or of fewer values, stand somewhere by chance.
const (
	MinNeedle = 8
	MaxNeedle = 1024
	minValues = 3
)

// Needle is something to look for.
type Needle struct {
	Kind   Kind
	Octets []byte
}

// ErrNeedle: a needle that is too short, too long or too plain, or too many
// kinds.
var ErrNeedle = errors.New("audit: needle")

func (n *Needle) check() error {
	values := map[byte]bool{}
	for _, b := range n.Octets {
		values[b] = true
	}
	if n.Kind == "" || len(n.Octets) < MinNeedle || len(n.Octets) > MaxNeedle || len(values) < minValues {
		return fmt.Errorf("%w: of kind %q, %d octets of %d values", ErrNeedle, n.Kind, len(n.Octets), len(values))
	}
	return nil
}

// Form is how a needle is written down.
type Form uint8

const (
	Raw      Form = iota
	Hex           // hexadecimal digits
	Base64        // of either alphabet, at any alignment
	Decimal       // numbers with blanks or commas between them
	Quoted        // as a Go string
	Reversed      // octets back to front
	Hashed        // its SHA-256
	forms    = iota
)

func (f Form) String() string {
	return [forms]string{"raw", "hex", "base64", "decimal", "quoted", "reversed", "hashed"}[f]
}

// pattern is one way in which a needle may be written.
type pattern struct {
	octets []byte
	needle int
	form   Form
}

// hashPrefix is how much of a digest is looked for: identifiers are often cut
// to so many octets.
const hashPrefix = 16

// patterns returns all ways of writing a needle, each once.
func (n *Needle) patterns(index int) (out []pattern) {
	add := func(f Form, octets []byte) {
		if !slices.ContainsFunc(out, func(p pattern) bool { return bytes.Equal(p.octets, octets) }) {
			out = append(out, pattern{octets, index, f})
		}
	}
	plain := func(b []byte, raw, digits, base Form) {
		add(raw, b)
		add(digits, hex.AppendEncode(nil, b))
		add(digits, bytes.ToUpper(hex.AppendEncode(nil, b)))
		for before := range 3 {
			add(base, base64After(base64.RawStdEncoding, b, before))
			add(base, base64After(base64.RawURLEncoding, b, before))
		}
	}
	plain(n.Octets, Raw, Hex, Base64)
	for _, between := range []string{" ", ",", ", "} {
		add(Decimal, decimal(n.Octets, between))
	}
	quoted := strconv.Quote(string(n.Octets))
	add(Quoted, []byte(quoted[1:len(quoted)-1]))
	reversed := slices.Clone(n.Octets)
	slices.Reverse(reversed)
	add(Reversed, reversed)
	digest := sha256.Sum256(n.Octets)
	plain(digest[:hashPrefix], Hashed, Hashed, Hashed)
	return out
}

// base64After returns the letters that depend on b alone where b is encoded
// after so many other octets, modulo 3.
func base64After(e *base64.Encoding, b []byte, before int) []byte {
	out := e.AppendEncode(nil, append(make([]byte, before), b...))
	first := (before*8 + 5) / 6
	return out[first : (before+len(b))*8/6]
}

func decimal(b []byte, between string) []byte {
	var out strings.Builder
	for i, v := range b {
		if i > 0 {
			out.WriteString(between)
		}
		out.WriteString(strconv.Itoa(int(v)))
	}
	return []byte(out.String())
}
