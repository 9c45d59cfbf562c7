package abuse

import (
	"fmt"
	"time"
)

// Figure is one figure of a cell, in the form of a result of package bench/report.
type Figure struct {
	Name       string         `json:"name"`
	Unit       string         `json:"unit"`
	Value      float64        `json:"value"`
	Parameters map[string]any `json:"parameters"`
}

// Measured are the names of figures that are measured processor time. All others
// follow from the seed.
var Measured = []string{"abuse_attacker_cpu", "abuse_server_cpu"}

// Figures returns what a cell says. What is per effect is left out if there was
// none.
func (c *Cell) Figures() []Figure {
	var out []Figure
	add := func(name, unit string, value float64) {
		out = append(out, Figure{name, unit, value, map[string]any{"scenario": c.Scenario.Name, "defence": c.Defence,
			"accounts": c.Budget.Accounts, "addresses": c.Budget.Addresses}})
	}
	n := float64(c.Attack.Effects)
	if c.Sweep != "" {
		has := map[string]int{"addresses": c.Budget.Addresses, "accounts": c.Budget.Accounts}
		return []Figure{{"abuse_by_" + c.Sweep, "effects/h", n / c.Hours, map[string]any{"scenario": c.Scenario.Name, "defence": c.Defence, c.Sweep: has[c.Sweep]}}}
	}
	add("abuse_effects", "effects/account/h", n/float64(c.Budget.Accounts)/c.Hours)
	add("abuse_honest_loss", "%", c.Attack.loss())
	add("abuse_honest_loss_idle", "%", c.Idle.loss())
	add("abuse_honest_delay", "s", c.Attack.delay())
	add("abuse_honest_delay_idle", "s", c.Idle.delay())
	add("abuse_links", "pairs", float64(c.Links))
	add("abuse_kept", "identifiers", float64(c.Kept))
	if n == 0 {
		return out
	}
	add("abuse_tokens", "tokens/effect", float64(c.Tokens)/n)
	add("abuse_octets", "B/effect", float64(c.Octets)/n)
	add("abuse_work", "core-s/effect", c.Work.Seconds()/n)
	add("abuse_money", "USD/1000 effects", 1000*c.Budget.Money(time.Duration(c.Hours*float64(time.Hour)))/n)
	add("abuse_served", "B/effect", float64(c.Served)/n)
	add("abuse_attacker_cpu", "ms/effect", 1000*c.Client.Seconds()/n)
	add("abuse_server_cpu", "ms/effect", 1000*c.Server.Seconds()/n)
	return out
}

// loss is the share of what honest users wanted that did not happen, in percent.
func (t *Tally) loss() float64 {
	if t.Wanted == 0 {
		return 0
	}
	return 100 * float64(t.Lost) / float64(t.Wanted)
}

// delay is the mean of the delays in seconds.
func (t *Tally) delay() float64 {
	if len(t.Delays) == 0 {
		return 0
	}
	var sum time.Duration
	for _, d := range t.Delays {
		sum += d
	}
	return sum.Seconds() / float64(len(t.Delays))
}

// String is a cell for people.
func (c *Cell) String() string {
	name := c.Defence
	if c.Sweep != "" {
		name = fmt.Sprintf("%s, %d accounts, %d addresses", name, c.Budget.Accounts, c.Budget.Addresses)
	}
	return fmt.Sprintf("%s\t%s\t%d effects; honest users lost %d of %d and waited %.1f s (%d and %.1f s without the attack); %d tokens, %d pairs linked",
		c.Scenario.Name, name, c.Attack.Effects, c.Attack.Lost, c.Attack.Wanted, c.Attack.delay(), c.Idle.Lost, c.Idle.delay(), c.Tokens, c.Links)
}
