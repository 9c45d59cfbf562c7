package attester

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// DescriptionPath is where an issuer serves its [Description].
const DescriptionPath = "/issuer.json"

// MaxDescription is the longest description that is read, in octets.
const MaxDescription = 256 << 10

// ErrDescription: the input is not a [Description].
var ErrDescription = errors.New("attester: malformed issuer description")

// Description is what a client must know of an issuer besides the directory that
// RFC 9578 defines: its classes, the batch sizes it takes, and how to authorize a
// request. All of it is public and the same for every client.
type Description struct {
	// Issuer is the issuer's name: the one in challenges and under signatures.
	Issuer string `json:"issuer"`
	// PeriodSeconds is the length of an allowance epoch.
	PeriodSeconds int64 `json:"period_seconds"`
	// Classes are in the issuer's order; the first is the default one.
	Classes []ClassDescription `json:"classes"`
	// Attesters are those of which one must vouch.
	Attesters []AttesterDescription `json:"attesters"`
}

// ClassDescription describes a token class.
type ClassDescription struct {
	Name string `json:"name"`
	// Directory is the URL of the class's directory, which may be relative.
	Directory string `json:"directory"`
	// BatchSizes are the numbers of tokens that one request may ask for.
	BatchSizes []int `json:"batch_sizes"`
	// TokensPerEpoch is what an established account gets.
	TokensPerEpoch int `json:"tokens_per_epoch"`
}

// AttesterDescription describes an attester by its authentication scheme.
type AttesterDescription struct {
	Scheme string `json:"scheme"`
	// Work is the cost of a proof of work; nil for other attesters.
	Work *WorkCost `json:"work,omitempty"`
}

// ParseDescription decodes a description. Unknown members are refused: they may
// change the meaning of the others.
func ParseDescription(b []byte) (*Description, error) {
	if len(b) > MaxDescription {
		return nil, fmt.Errorf("%w: too long", ErrDescription)
	}
	decoder := json.NewDecoder(bytes.NewReader(b))
	decoder.DisallowUnknownFields()
	var d *Description
	if err := decoder.Decode(&d); err != nil || d == nil {
		return nil, fmt.Errorf("%w: %w", ErrDescription, err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, fmt.Errorf("%w: trailing octets", ErrDescription)
	}
	if d.Issuer == "" || len(d.Classes) == 0 || d.PeriodSeconds < 1 {
		return nil, fmt.Errorf("%w: a member is missing", ErrDescription)
	}
	for _, c := range d.Classes {
		if c.Name == "" || c.Directory == "" || len(c.BatchSizes) == 0 {
			return nil, fmt.Errorf("%w: incomplete class", ErrDescription)
		}
	}
	for _, a := range d.Attesters {
		if !isToken(a.Scheme) {
			return nil, fmt.Errorf("%w: attester without scheme", ErrDescription)
		}
		if a.Work != nil {
			if err := a.Work.Validate(); err != nil {
				return nil, fmt.Errorf("%w: %w", ErrDescription, err)
			}
		}
	}
	return d, nil
}
