package server

import (
	"fmt"
	"maps"
	"slices"

	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/issuer/host"
	"github.com/pseudods/pseudods/privacypass/keyring"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/tokens"
)

// DefaultPrices is the price list of a provider whose tokens come from one
// issuer: whatever makes something, asks something of a stranger, or is not
// signed by somebody known costs one token. Members of a group send for nothing
// as long as they keep to the limits, beyond which a token buys one request.
func DefaultPrices(issuer string) *tokens.PriceList {
	terms := tokens.Terms{Issuer: issuer, TokenType: privacypass.VOPRFRistretto255}
	list := &tokens.PriceList{Classes: map[tokens.Class]tokens.Terms{}, Prices: map[string]tokens.Price{}}
	for class, operations := range map[tokens.Class][]string{
		tokens.Create:  {wire.OpCreateGroup.PriceName()},
		tokens.Send:    {wire.OpAddUsers.PriceName(), wire.OpExternalJoin.PriceName(), wire.OpExternalCommitInfo.PriceName(), wire.OpAccessRequest.PriceName(), wire.PriceBurst},
		tokens.Report:  {wire.OpReportAbuse.PriceName()},
		tokens.Queue:   {wire.OpCreateQueue.PriceName()},
		tokens.Publish: {wire.OpPublishKeyPackages.PriceName()},
		tokens.Connect: {wire.OpConnectionPackages.PriceName(), wire.OpGroupPackages.PriceName(), wire.OpConnectionRequest.PriceName()},
	} {
		list.Classes[class] = terms
		for _, name := range operations {
			list.Prices[name] = tokens.Price{Class: class, Count: 1}
		}
	}
	return list
}

// defaultIssuer issues the classes of a price list that name it.
func defaultIssuer(name string, list *tokens.PriceList) host.Config {
	c := host.Default()
	c.Name, c.Classes = name, []host.Class{}
	for _, class := range slices.Sorted(maps.Keys(list.Classes)) {
		if list.Classes[class].Issuer != name {
			continue
		}
		policy := host.Class{Name: string(class), Tokens: 64, BatchSizes: []int{1, 8}}
		switch class {
		case tokens.Send:
			policy.Tokens, policy.BatchSizes = 320, []int{1, 32}
		case tokens.Report: // who decides reports has a day of 24 hours, too
			policy.Tokens = 16
		}
		policy.Types = []string{list.Classes[class].TokenType.String()}
		c.Classes = append(c.Classes, policy)
	}
	return c
}

// names are the names that a role's operations have in a price list.
func names(r Role) []string {
	switch r {
	case DS:
		return append(slices.Collect(maps.Values(wire.PriceNames(wire.Operation.IsGroup))), wire.PriceBurst)
	case QS:
		return slices.Collect(maps.Values(wire.PriceNames(wire.Operation.IsQueue)))
	}
	return nil
}

// pricesOf returns the part of the list that concerns a role: its operations and
// the classes that buy them.
func (c *Config) pricesOf(r Role) *tokens.PriceList {
	part := &tokens.PriceList{Classes: map[tokens.Class]tokens.Terms{}, Prices: map[string]tokens.Price{}}
	for _, name := range names(r) {
		if price, ok := c.Prices.Prices[name]; ok {
			part.Prices[name] = price
			part.Classes[price.Class] = c.Prices.Classes[price.Class]
		}
	}
	return part
}

// validatePrices checks that every token has one place where it can be spent. DS
// and QS have ledgers of their own: a class that both took could be spent once at
// each.
func (c *Config) validatePrices() error {
	if _, err := c.Prices.Marshal(); err != nil {
		return err
	}
	groups, queues := c.pricesOf(DS), c.pricesOf(QS)
	for name := range c.Prices.Prices {
		if _, ok := groups.Prices[name]; ok {
			continue
		}
		if _, ok := queues.Prices[name]; !ok {
			return fmt.Errorf("prices: there is no operation %q", name)
		}
	}
	for class := range groups.Classes {
		if _, both := queues.Classes[class]; both {
			return fmt.Errorf("prices: class %q buys operations of both ds and qs, whose ledgers do not know of each other", class)
		}
	}
	if !c.runs(Issuer) {
		return nil
	}
	for class, terms := range c.Prices.Classes {
		if terms.Issuer == c.Issuer.Name && !issues(&c.Issuer.Config, class, terms.TokenType) {
			return fmt.Errorf("prices: the issuer does not issue class %q, type %v", class, terms.TokenType)
		}
	}
	return nil
}

func issues(c *host.Config, class tokens.Class, t privacypass.TokenType) bool {
	slots, err := c.Slots()
	return err == nil && slices.ContainsFunc(slots, func(s keyring.Slot) bool { return s.Class == string(class) && s.Type == t })
}
