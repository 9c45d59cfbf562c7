package abuse

import (
	"fmt"
	"time"
)

// Budget is what the attacker has. It is the one model of the attacker's means that
// all scenarios share; only scenarios about a means itself change it, and say so.
//
// Accounts are what an attester admits: telephone numbers, invitations, paid
// subscriptions. Addresses are exits of a proxy service, used in turn. Cores do
// proofs of work. All accounts are one person's.
type Budget struct {
	Accounts, Addresses, Cores int
}

// DefaultBudget is a person with a little money: accounts from a dealer, a plan of
// a proxy service, and a rented machine.
var DefaultBudget = Budget{Accounts: 4, Addresses: 10, Cores: 16}

// Price is what the means cost in US dollars: an account once, an address and a
// core by the hour. They are assumptions about an order of magnitude, from offers
// of dealers in verified accounts, of proxy services and of cloud providers; change
// them for another market.
var Price = struct{ Account, AddressHour, CoreHour float64 }{0.30, 0.01, 0.04}

// Money is what the budget costs for a time in US dollars, accounts included.
func (b Budget) Money(d time.Duration) float64 {
	hours := d.Hours()
	return float64(b.Accounts)*Price.Account + hours*(float64(b.Addresses)*Price.AddressHour+float64(b.Cores)*Price.CoreHour)
}

// addresses are the attacker's network addresses.
func (b Budget) addresses() []string {
	out := make([]string, b.Addresses)
	for i := range out {
		out[i] = fmt.Sprintf("198.51.%d.%d", i/256, i%256)
	}
	return out
}
