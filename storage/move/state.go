package move

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// State is how far the copy of a store is.
type State struct {
	// Source names the state of the store that is copied.
	Source []byte
	// Total is how many records it has, Records how many of them were copied, and
	// After names the last of these.
	Total, Records uint64
	After          []byte
	// Tables are the digests of what was loaded.
	Tables map[string]Digest
	// Done says that all was loaded and compared.
	Done bool
}

// The errors of this package.
var (
	// ErrState: the target has a state that does not decode.
	ErrState = errors.New("move: state does not decode")
	// ErrSource: what is in the target comes of another store, or of this one before
	// something was written to it. It must be begun anew.
	ErrSource = errors.New("move: the target was begun with another source, or the source has changed since")
	// ErrDiffers: the target does not have what the source gave.
	ErrDiffers = errors.New("move: target differs from source")
)

func (s *State) marshal() ([]byte, error) { return json.Marshal(s) }

// ParseState reads a state that a target kept. It fails with [ErrState].
func ParseState(b []byte) (*State, error) {
	s := new(State)
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	err := d.Decode(s)
	if err == nil {
		if _, err = d.Token(); err == io.EOF {
			err = nil
		} else if err == nil {
			err = errors.New("something follows")
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	if s.Records > s.Total || s.Done && s.Records != s.Total {
		return nil, fmt.Errorf("%w: more records than there are", ErrState)
	}
	if s.Tables == nil {
		s.Tables = map[string]Digest{}
	}
	return s, nil
}
