package tokens

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/pseudods/pseudods/privacypass"
)

// The limits of a price list.
const (
	MaxPriceList  = 64 << 10 // octets of its JSON form
	MaxClasses    = 32
	MaxOperations = 256
	MaxCount      = 16 // tokens for one operation
)

// ErrPriceList: a price list is not well formed.
var ErrPriceList = errors.New("tokens: invalid price list")

// PriceList says which operation costs how many tokens of which class. The
// operator configures it and the provider document publishes it in the same
// JSON form, so that clients know before they ask:
//
//	{"classes": {"send": {"issuer": "issuer.example", "token-type": 5}},
//	 "prices": {"send-message": {"class": "send", "count": 1}}}
//
// An operation that is not listed is free. A PriceList must not be modified
// once it is in use.
type PriceList struct {
	Classes map[Class]Terms  `json:"classes"`
	Prices  map[string]Price `json:"prices"`
}

// Terms says who issues the tokens of a class.
type Terms struct {
	// Issuer is the issuer's name as in challenges. Classes may share an issuer,
	// but not keys.
	Issuer    string                `json:"issuer"`
	TokenType privacypass.TokenType `json:"token-type"`
}

// Price is the cost of one operation.
type Price struct {
	Class Class `json:"class"`
	Count int   `json:"count"` // 1 to MaxCount
}

// ParsePriceList decodes the JSON form. Unknown, repeated and missing members,
// classes without terms and octets after the object give [ErrPriceList].
func ParsePriceList(b []byte) (*PriceList, error) {
	l, err := parsePriceList(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPriceList, err)
	}
	return l, nil
}

func parsePriceList(b []byte) (*PriceList, error) {
	if len(b) > MaxPriceList {
		return nil, errors.New("too long")
	}
	d := newDecoder(b)
	l := &PriceList{Classes: map[Class]Terms{}, Prices: map[string]Price{}}
	d.object([]string{"classes", "prices"}, func(member string) {
		d.object(nil, func(name string) {
			if member == "classes" {
				l.Classes[Class(name)] = d.terms()
			} else {
				l.Prices[name] = d.price()
			}
		})
	})
	if err := d.finish(); err != nil {
		return nil, err
	}
	return l, l.validate()
}

func (d *decoder) terms() (t Terms) {
	d.object([]string{"issuer", "token-type"}, func(member string) {
		if member == "issuer" {
			t.Issuer = d.string()
		} else {
			t.TokenType = privacypass.TokenType(d.integer(1<<16 - 1))
		}
	})
	return t
}

func (d *decoder) price() (p Price) {
	d.object([]string{"class", "count"}, func(member string) {
		if member == "class" {
			p.Class = Class(d.string())
		} else {
			p.Count = d.integer(MaxCount)
		}
	})
	return p
}

func (l *PriceList) validate() error {
	if len(l.Classes) > MaxClasses || len(l.Prices) > MaxOperations {
		return errors.New("too many entries")
	}
	for class := range l.Classes {
		if !validName(string(class)) {
			return errors.New("class name")
		}
		if _, err := l.Challenge(class, Origin{Name: "origin.example"}); err != nil {
			return fmt.Errorf("class %q: %w", class, err)
		}
	}
	for operation, price := range l.Prices {
		if !validName(operation) {
			return errors.New("operation name")
		}
		if _, ok := l.Classes[price.Class]; !ok {
			return fmt.Errorf("operation %q costs a class without terms", operation)
		}
		if price.Count < 1 || price.Count > MaxCount {
			return fmt.Errorf("operation %q costs no or too many tokens", operation)
		}
	}
	return nil
}

// Marshal returns the published form: the one JSON text of these classes and
// prices, with sorted names and no white space.
func (l *PriceList) Marshal() ([]byte, error) {
	if err := l.validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPriceList, err)
	}
	b, err := json.Marshal(l)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPriceList, err)
	}
	return b, nil
}
