package abuse

import (
	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/pseudods/server"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/tokens"
	"time"
)

func defaultPrices(issuer string) *tokens.PriceList { return server.DefaultPrices(issuer) }

// everything prices each operation that changes something, or that is asked by a
// stranger, at one token. Reading and the upkeep of one's own queue stay free.
func everything(issuer string) *tokens.PriceList {
	list := server.DefaultPrices(issuer)
	for _, name := range wire.PriceNames(wire.Operation.IsGroup) {
		if _, priced := list.Prices[name]; !priced {
			list.Prices[name] = tokens.Price{Class: tokens.Send, Count: 1}
		}
	}
	delete(list.Prices, wire.PriceBurst)
	return list
}

// ration is the length of an allowance epoch, and policies what an account gets in
// one: the defaults of a server.
const ration = 24 * time.Hour

var policies = map[string]attester.Policy{
	string(tokens.Send):    {Tokens: 320, BatchSizes: []int{1, 32}},
	string(tokens.Create):  {Tokens: 64, BatchSizes: []int{1, 8}},
	string(tokens.Queue):   {Tokens: 64, BatchSizes: []int{1, 8}},
	string(tokens.Publish): {Tokens: 64, BatchSizes: []int{1, 8}},
	string(tokens.Report):  {Tokens: 16, BatchSizes: []int{1, 8}},
	string(tokens.Connect): {Tokens: 64, BatchSizes: []int{1, 8}},
}

// free is a price list of nothing.
func free() *tokens.PriceList {
	return &tokens.PriceList{Classes: map[tokens.Class]tokens.Terms{}, Prices: map[string]tokens.Price{}}
}
