package wallet

import (
	"bytes"
	"io"

	"github.com/pseudods/pseudods/internal/secret"
)

// Steps is the number of steps of a save at which CrashAt can end it.
const Steps = int(stepSaved) + 1

// CrashAt makes the nth save from now end with err at the step, and every later
// one, as if the program had ended there.
func (w *Wallet) CrashAt(at, nth int, err error) {
	saves, crashed := 0, false
	w.at = func(s step) error {
		if s == stepCreate {
			saves++
		}
		crashed = crashed || saves == nth && int(s) == at
		if crashed {
			return err
		}
		return nil
	}
}

// ParseState gives the parser of the plaintext to the tests, with the encoding
// of what was read.
func ParseState(b []byte) ([]byte, error) {
	s, err := parseState(bytes.Clone(b))
	if err != nil {
		return nil, err
	}
	return s.marshal()
}

// Seal and Unseal give the file format to the tests.
func Seal(key secret.Bytes, random io.Reader, plaintext []byte) ([]byte, error) {
	return seal(key, random, plaintext)
}

func Unseal(key secret.Bytes, file []byte) ([]byte, error) { return unseal(key, file) }

func Pad(b []byte) []byte            { return pad(b) }
func Unpad(b []byte) ([]byte, error) { return unpad(b) }
