package abuse

import (
	"context"
	"time"
)

// Scenario is one way to abuse the services, that can be played.
type Scenario struct {
	// Name tells the scenario from others; Models are the ids of the scenarios of
	// package threatmodel that it plays.
	Name   string
	Models []string
	// Attacker is what the attacker does, Load what honest users do meanwhile, and
	// Effect what counts as one effect of the attack.
	Attacker, Load, Effect string
	// Control says which check is off, or which other design is measured, in the
	// control run: for an attack that the protocol stops by itself. ControlUnder is
	// the defence of that run, "none" if empty. Without a Control the attack must
	// work where there is no defence.
	Control, ControlUnder string
	// Sessions is on how many days the attacker comes, one day after the other, and
	// Window how long it goes on each time. Quick is the window of a quick run, which
	// has two sessions at most.
	Sessions      int
	Window, Quick time.Duration
	// Accounts, if not 0, is how many accounts the attacker has in a quick run,
	// instead of one.
	Accounts int
	// Sweep has the scenario played with other numbers of addresses and of accounts,
	// too: see sweeps.
	Sweep bool
	// Play sets the scene, starts processes, calls [World.Run] once, and counts. It
	// must attack by [World.Attack] alone.
	Play func(ctx context.Context, w *World) error
}

// Scenarios are all there are, in the order in which they run. Each stands in a
// file of its own.
var Scenarios = []Scenario{
	groupFlooding,
	connectionSpam,
	doubleSpend,
	keyPackageDrain,
	inviteSpam,
	notificationSpam,
	amplification,
	queueOverflow,
	sybilFarming,
	tokenHoarding,
	tokenTheft,
	commitStarvation,
	rejoinChurn,
	scraping,
	banEvasion,
	proposalLock,
	malformedFlood,
	invalidCommit,
	guestFlooding,
	exMemberKey,
	replayedRequests,
	oracleProbing,
	epochEdge,
	falseReports,
}

func (s *Scenario) sessions(quick bool) int {
	if quick {
		return min(max(1, s.Sessions), 2)
	}
	return max(1, s.Sessions)
}

func (s *Scenario) window(quick bool) time.Duration {
	if quick {
		return s.Quick
	}
	return s.Window
}
