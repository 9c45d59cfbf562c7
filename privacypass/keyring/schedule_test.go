package keyring

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	hour = time.Hour
	day  = 24 * hour
)

var (
	origin  = time.Unix(1735689600, 0)
	monthly = Schedule{Period: 30 * day, Overlap: 7 * day, Lead: 2 * day}
)

func days(n ...float64) (t []time.Time) {
	for _, d := range n {
		t = append(t, origin.Add(time.Duration(d*float64(day))))
	}
	return t
}

func TestPlan(t *testing.T) {
	for _, tc := range []struct {
		name   string
		starts []time.Time
		now    float64
		remove int
		next   float64 // -1: none
	}{
		{"first start", nil, 5, 0, 5},
		{"quiet", days(0), 10, 0, -1},
		{"just before the lead", days(0), 27.99, 0, -1},
		{"announce", days(0), 28, 0, 30},
		{"announced", days(0, 30), 28, 0, -1},
		{"started", days(0, 30), 30, 0, -1},
		{"end of overlap", days(0, 30), 36.99, 0, -1},
		{"retire", days(0, 30), 37, 1, -1},
		{"late announcement keeps its lead", days(0), 29, 0, 31},
		{"down for a year", days(0), 400, 0, 402},
		{"back after a year", days(0, 402), 401, 0, -1},
		{"down with two", days(0, 30), 400, 1, 402},
		{"three left by hand", days(0, 10, 20), 40, 2, -1},
		{"tightest", days(0, 30), 58, 1, 60},
	} {
		remove, next := monthly.Plan(tc.starts, days(tc.now)[0])
		want := time.Time{}
		if tc.next >= 0 {
			want = days(tc.next)[0]
		}
		if remove != tc.remove || !next.Equal(want) {
			t.Errorf("%s: remove %d, next %v; want %d, %v", tc.name, remove, next, tc.remove, want)
		}
	}
}

func TestScheduleValidate(t *testing.T) {
	for _, good := range []Schedule{monthly, {2 * time.Second, time.Second, time.Second}} {
		if err := good.Validate(); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []Schedule{{}, {30 * day, 29 * day, 2 * day}, {30 * day, 0, day}, {30 * day, day, 0}, {30*day + 1, day, day}, {-day, day, day}} {
		if err := bad.Validate(); !errors.Is(err, ErrSchedule) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

// TestYears runs schedules for years in steps of an hour and checks what must
// hold at each: one or two keys, one of them started, every key announced a lead
// ahead and kept an overlap longer; and that Next names every moment of change.
func TestYears(t *testing.T) {
	for _, s := range []Schedule{monthly, {day, 12 * hour, 12 * hour}, {day, hour, 23 * hour}, {7 * day, 6 * day, day}} {
		var starts []time.Time
		var upcoming time.Time
		started := 0
		for now := origin; now.Before(origin.Add(2 * 365 * day)); now = now.Add(hour) {
			remove, next := s.Plan(starts, now)
			changed := remove > 0 || !next.IsZero()
			starts = starts[remove:]
			if !next.IsZero() {
				if len(starts) > 0 && next.Sub(now) < s.Lead {
					t.Fatalf("%+v: announced %v ahead", s, next.Sub(now))
				}
				starts = append(starts, next)
			}
			if len(starts) < 1 || len(starts) > 2 || starts[0].After(now) {
				t.Fatalf("%+v: at %v live: %v", s, now, starts)
			}
			before := started
			started = 0
			for _, k := range starts {
				if !k.After(now) {
					started++
				}
			}
			if (changed || started != before) && now.Before(upcoming) {
				t.Fatalf("%+v: a change at %v, before %v", s, now, upcoming)
			}
			if upcoming = s.Next(starts, now); !upcoming.After(now) {
				t.Fatalf("%+v: at %v next is %v", s, now, upcoming)
			}
		}
	}
}

func TestCalendar(t *testing.T) {
	var got []string
	for _, e := range monthly.Calendar(days(0), origin.Add(day), origin.Add(70*day)) {
		got = append(got, fmt.Sprintf("%.0f %s %.0f", e.At.Sub(origin).Hours()/24, e.What, e.Start.Sub(origin).Hours()/24))
	}
	want := []string{"28 announced 30", "30 starts 30", "37 retired 0", "58 announced 60", "60 starts 60", "67 retired 30"}
	if !slices.Equal(got, want) {
		t.Errorf("calendar\n%s", strings.Join(got, "\n"))
	}
	if first := monthly.Calendar(nil, origin, origin); len(first) != 2 || first[0].What != Announced || first[1].What != Starts {
		t.Errorf("first start: %v", first)
	}
}
