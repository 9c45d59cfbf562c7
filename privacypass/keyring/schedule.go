package keyring

import (
	"errors"
	"fmt"
	"time"
)

// Schedule says when the keys of a slot follow each other.
//
//	key n    announced ──Lead── starts ────────Period──────── │ ──Overlap── retired
//	key n+1                                announced ──Lead── starts
//
// Announced keys are in the directory with their "not-before" time. From its
// start a key is the preferred one. Until it is retired its tokens are issued and
// redeemed. Lead and Overlap together must fit into Period, which is what keeps
// three keys from being live at once.
type Schedule struct {
	Period, Overlap, Lead time.Duration
}

// ErrSchedule is wrapped by the errors of [Schedule.Validate].
var ErrSchedule = errors.New("keyring: invalid schedule")

// Validate reports what is wrong with the schedule, or nil.
func (s Schedule) Validate() error {
	for _, d := range []time.Duration{s.Period, s.Overlap, s.Lead} {
		if d < time.Second || d%time.Second != 0 {
			return fmt.Errorf("%w: period, overlap and lead must be positive whole numbers of seconds", ErrSchedule)
		}
	}
	if s.Lead+s.Overlap > s.Period {
		return fmt.Errorf("%w: lead and overlap do not fit into the period", ErrSchedule)
	}
	return nil
}

// Plan says what is to be done at a time about the live keys of one slot, given
// by their starts in rising order: first remove so many of the oldest ones, then
// make one that starts at next unless next is zero.
//
// A key whose successor is late stays: an issuer that was down for a year
// comes back with the old key, announces the new one, and drops the old one when
// every client had the time to see it.
func (s Schedule) Plan(starts []time.Time, now time.Time) (remove int, next time.Time) {
	if len(starts) == 0 {
		return 0, now.Truncate(time.Second)
	}
	for i, start := range starts[1:] {
		if !now.Before(start.Add(s.Overlap)) {
			remove = i + 1
		}
	}
	due := starts[len(starts)-1].Add(s.Period)
	if now.Before(due.Add(-s.Lead)) {
		return remove, time.Time{}
	}
	if soonest := now.Add(s.Lead).Truncate(time.Second); due.Before(soonest) {
		due = soonest
	}
	return remove, due
}

// Next returns the earliest time after now at which the live keys, or their
// order of preference, change. There must be at least one key.
func (s Schedule) Next(starts []time.Time, now time.Time) time.Time {
	next := starts[len(starts)-1].Add(s.Period - s.Lead)
	for i, start := range starts {
		events := []time.Time{start}
		if i > 0 {
			events = append(events, start.Add(s.Overlap))
		}
		for _, event := range events {
			if event.After(now) && (event.Before(next) || !next.After(now)) {
				next = event
			}
		}
	}
	return next
}

// What happens to a key.
const (
	Announced = "announced"
	Starts    = "starts"
	Retired   = "retired"
)

// Event is an entry of the calendar. Start tells the keys of a slot apart.
type Event struct {
	At    time.Time
	What  string // Announced, Starts or Retired
	Start time.Time
}

// Calendar returns what will happen after now and up to until to a slot with the
// given keys, in order, if [Ring.Advance] is called in time.
func (s Schedule) Calendar(starts []time.Time, now, until time.Time) (events []Event) {
	starts = append([]time.Time(nil), starts...)
	for at := now; ; at = s.Next(starts, at) {
		if at.After(until) {
			return events
		}
		remove, next := s.Plan(starts, at)
		for _, start := range starts[:remove] {
			events = append(events, Event{at, Retired, start})
		}
		starts = starts[remove:]
		if !next.IsZero() {
			events = append(events, Event{at, Announced, next})
			starts = append(starts, next)
		}
		for _, start := range starts {
			if start.Equal(at) {
				events = append(events, Event{at, Starts, start})
			}
		}
	}
}
