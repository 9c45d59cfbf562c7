package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/tokens"
)

// Provider is the provider document: what a client must know of a provider
// before its first request, and what other providers' services check deliveries
// with.
type Provider struct {
	// Domain names the provider in credentials, requests and tokens.
	Domain string `json:"domain"`
	// Versions are the protocol versions that the services speak. Requests of
	// another get [wire.CodeUnsupportedVersion].
	Versions []wire.Version `json:"versions"`
	// DS, QS and Issuer are the base URLs of the services. The issuer's directory
	// is at the well-known path of RFC 9578, Section 4.
	DS     string `json:"ds,omitempty"`
	QS     string `json:"qs,omitempty"`
	Issuer string `json:"issuer,omitempty"`
	// Profiles are the group profiles that the DS accepts: see [ProfileName].
	Profiles []string `json:"profiles"`
	// Prices are the token classes and what operations cost. An operation that is
	// not listed is free.
	Prices *tokens.PriceList `json:"prices,omitempty"`
	// Scope is the redemption context of the challenges that tokens answer: empty,
	// or 32 octets in base64. The origin in them is Domain.
	Scope  []byte `json:"scope,omitempty"`
	Limits Limits `json:"limits"`
	// Keys are the Ed25519 keys by which the DS signs, the one in use first,
	// base64.
	Keys [][]byte `json:"keys"`
}

// Limits are the bounds that a client should know before it runs into them. What
// is 0 is not known here.
type Limits struct {
	MaxRequest   int64  `json:"max_request"` // octets
	MaxMembers   uint32 `json:"max_members"`
	MaxMessage   int    `json:"max_message"`    // octets
	RequestLife  uint32 `json:"request_life"`   // longest time to expiry, seconds
	QueueEntries int    `json:"queue_entries"`  // per queue
	QueueTTL     uint32 `json:"queue_lifetime"` // of an entry, seconds
	MaxWait      uint32 `json:"max_wait"`       // of a read, seconds
}

// ProfileName returns the name of a group profile in provider documents, and ""
// for one that does not exist.
func ProfileName(p wire.Profile) string {
	switch p {
	case wire.ProfilePseudonymous:
		return "pseudonymous"
	case wire.ProfileIdentified:
		return "identified"
	}
	return ""
}

// maxProvider bounds the document in octets.
const maxProvider = 128 << 10

// ErrProvider: the provider document is malformed.
var ErrProvider = errors.New("httpapi: malformed provider document")

// Origin is how the provider's tokens name it.
func (p *Provider) Origin() tokens.Origin { return tokens.Origin{Name: p.Domain, Scope: p.Scope} }

// Marshal encodes the document. The same document has the same encoding.
func (p *Provider) Marshal() ([]byte, error) {
	if err := p.validate(); err != nil {
		return nil, err
	}
	return json.MarshalIndent(p, "", "  ")
}

// ParseProvider decodes a document. Members that are not known are ignored, since
// a newer service may have more to say; the price list is strict, since what it
// says is paid. It fails with [ErrProvider].
func ParseProvider(data []byte) (*Provider, error) {
	if len(data) > maxProvider {
		return nil, fmt.Errorf("%w: %d octets", ErrProvider, len(data))
	}
	// The price list has a parser of its own.
	var doc struct {
		Provider
		Prices json.RawMessage `json:"prices"`
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(&doc); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProvider, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("%w: something follows it", ErrProvider)
	}
	p := doc.Provider
	if len(doc.Prices) > 0 && !bytes.Equal(doc.Prices, []byte("null")) {
		list, err := tokens.ParsePriceList(doc.Prices)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrProvider, err)
		}
		p.Prices = list
	}
	if err := p.validate(); err != nil {
		return nil, err
	}
	return &p, nil
}

func (p *Provider) validate() error {
	switch {
	case p.Domain == "":
		return fmt.Errorf("%w: no domain", ErrProvider)
	case len(p.Scope) != 0 && len(p.Scope) != 32:
		return fmt.Errorf("%w: scope of %d octets", ErrProvider, len(p.Scope))
	case slices.ContainsFunc(p.Keys, func(k []byte) bool { return len(k) != 32 }):
		return fmt.Errorf("%w: a key is not one of Ed25519", ErrProvider)
	}
	return nil
}
