package vault

import (
	"io"

	"github.com/pseudods/pseudods/internal/secret"
)

// The steps at which CrashAt can end a change.
const (
	PutSteps    = int(stepSaved) + 1
	DeleteSteps = int(stepGone) - int(stepRemove) + 1
)

// CrashAt makes the vault fail with err at the step of a change, and at every one
// after it, as if the program had ended there. Steps of Delete follow those of
// Put.
func (v *Vault) CrashAt(at int, err error) {
	crashed := false
	v.at = func(s step) error {
		if crashed = crashed || int(s) == at; crashed {
			return err
		}
		return nil
	}
}

// SealRecord and OpenRecord give the file format to the tests.
func SealRecord(key secret.Bytes, random io.Reader, file, name string, content []byte) ([]byte, error) {
	return sealRecord(key, random, file, name, content)
}

func OpenRecord(key secret.Bytes, file string, b []byte) (string, []byte, error) {
	return openRecord(key, file, b)
}

// FileName returns the name of a record's file.
func (v *Vault) FileName(name string) string { return v.file(name) }
