package account

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/pseudods/pseudods/pseudods/httpapi"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// FrankKeys returns the keys by which a provider's delivery service franks
// messages, none if it does not. If the one that is wanted is not among them the
// document may have changed, and is fetched anew, at most every few seconds. Nil
// wants none. It fails with [ErrProvider] or [httpapi.ErrTransport].
func (a *Account) FrankKeys(ctx context.Context, domain string, wanted *wire.FrankKeyID) ([][]byte, error) {
	p, err := a.provider(domain)
	if err != nil {
		return nil, err
	}
	doc, err := p.document(ctx, documentAge)
	if err != nil || wanted == nil || hasKey(doc.Keys, *wanted) {
		return keysOf(doc), err
	}
	return p.newKeys(ctx)
}

// newKeys fetches the document for the sake of its keys. Unknown ones are soon the
// service's own making, so that it is not asked again and again.
func (p *provider) newKeys(ctx context.Context) ([][]byte, error) {
	p.mu.Lock()
	asked := p.now()
	again := asked.Sub(p.keysAsked).Abs() <= documentRetry
	if !again {
		p.keysAsked = asked
	}
	p.mu.Unlock()
	age := documentAge
	if !again {
		age = -1
	}
	doc, err := p.document(ctx, age)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !again && p.fetched.Before(asked) { // an older one, as there is no other
		p.keysAsked = time.Time{}
		return nil, fmt.Errorf("%w: provider document", httpapi.ErrTransport)
	}
	return doc.Keys, nil
}

func keysOf(doc *httpapi.Provider) [][]byte {
	if doc == nil {
		return nil
	}
	return doc.Keys
}

func hasKey(keys [][]byte, id wire.FrankKeyID) bool {
	return slices.ContainsFunc(keys, func(k []byte) bool { return wire.FrankKeyIDOf(k) == id })
}
