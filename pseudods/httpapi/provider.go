package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Provider is the provider document: what a client must know of a provider
// before its first request.
type Provider struct {
	// Domain names the provider in credentials and requests.
	Domain string `json:"domain"`
	// DS, QS and Issuer are the base URLs of the services.
	DS     string `json:"ds,omitempty"`
	QS     string `json:"qs,omitempty"`
	Issuer string `json:"issuer,omitempty"`
	// Profiles are the group profiles that the DS accepts.
	Profiles []string `json:"profiles"`
	// Prices are what operations cost: an operation's name to token class to
	// number. What is not listed is free.
	Prices map[string]map[string]uint32 `json:"prices"`
	Limits Limits                       `json:"limits"`
	// Keys are the Ed25519 keys by which the services sign, newest first, base64.
	Keys [][]byte `json:"keys"`
}

// Limits are the bounds that a client should know before it runs into them.
type Limits struct {
	MaxRequest   int64  `json:"max_request"` // octets
	MaxMembers   uint32 `json:"max_members"`
	MaxMessage   int    `json:"max_message"`    // octets
	RequestLife  uint32 `json:"request_life"`   // longest time to expiry, seconds
	QueueEntries int    `json:"queue_entries"`  // per queue
	QueueTTL     uint32 `json:"queue_lifetime"` // of an entry, seconds
}

// maxProvider bounds the document in octets.
const maxProvider = 64 << 10

// ErrProvider: the provider document is malformed.
var ErrProvider = errors.New("httpapi: malformed provider document")

// Marshal encodes the document. The same document has the same encoding.
func (p *Provider) Marshal() ([]byte, error) {
	if p.Domain == "" {
		return nil, fmt.Errorf("%w: no domain", ErrProvider)
	}
	return json.MarshalIndent(p, "", "  ")
}

// ParseProvider decodes a document. Members that are not known are ignored, since
// a newer service may have more to say. It fails with [ErrProvider].
func ParseProvider(data []byte) (*Provider, error) {
	if len(data) > maxProvider {
		return nil, fmt.Errorf("%w: %d octets", ErrProvider, len(data))
	}
	d := json.NewDecoder(bytes.NewReader(data))
	p := new(Provider)
	if err := d.Decode(p); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProvider, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("%w: something follows it", ErrProvider)
	}
	if p.Domain == "" {
		return nil, fmt.Errorf("%w: no domain", ErrProvider)
	}
	return p, nil
}
