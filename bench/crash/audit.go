package crash

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Report is what an audit has found.
type Report struct {
	Said, Heard int // texts, and their arrivals
	Repeated    int // arrivals that a client was told of again after it was killed
	Epochs      int // of all groups
	Packages    int // KeyPackages that left
	Tokens      int // that paid
	Doubles     int // requests that were refused for a spent token
	Lost        int // texts that were said and that somebody never heard
	Failures    int // requests that were not answered, or by an error of the server
	Unsure      int // actions of which a client was not told whether they were done
	// Reports are the texts that were reported, Cases those that came to a decision,
	// Upheld how many of them were upheld, and Verdicts how many are in effect.
	// LostReports are those that somebody was told are taken and nobody could decide.
	Reports, Cases, Upheld, Verdicts, LostReports int
	// Away is the longest time for which a client got no answer.
	Away     time.Duration
	Problems []string
}

func (r *Report) problem(format string, args ...any) {
	r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
}

// Audit compares what the clients of groups wrote down, by their names. All of them
// are members of all groups; others only paid and fetched. Without rulings nothing is
// said of reports.
func Audit(members, others map[string][]Entry, rulings *Rulings) *Report {
	r := &Report{}
	r.texts(members)
	r.epochs(members)
	all := maps.Clone(members)
	maps.Copy(all, others)
	r.packages(all)
	r.tokens(all)
	r.failures(all)
	if rulings != nil {
		r.rulings(members, rulings)
	}
	return r
}

// arrival is where a text stands in its group.
type arrival struct {
	group string
	text  string
}

// speaker is the name that a text begins with, and its number.
func speaker(text string) (name string, n int) {
	name, number, _ := strings.Cut(text, " ")
	fmt.Sscan(number, &n)
	return name, n
}

func (r *Report) texts(members map[string][]Entry) {
	begun, places := map[arrival]bool{}, map[arrival]uint64{}
	for _, entries := range members {
		for _, e := range entries {
			if e.Kind == Saying {
				begun[arrival{e.Group, e.Text}] = true
			}
		}
	}
	heard := map[string]map[arrival]bool{}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		heard[name] = map[arrival]bool{}
		last, spoken := map[string]uint64{}, map[arrival]int{}
		for _, e := range members[name] {
			at := arrival{e.Group, e.Text}
			switch e.Kind {
			case Lost:
				r.problem("%s was told that entries of group %s are missing", name, e.Group)
				continue
			case Heard:
			default:
				continue
			}
			place, known := places[at]
			switch {
			case !begun[at]:
				r.problem("%s heard %q, which nobody said", name, e.Text)
			case known && place != e.Number:
				r.problem("%s heard %q as message %d of group %s, which was %d: it came twice", name, e.Text, e.Number, e.Group, place)
			case heard[name][at]:
				r.Repeated++
				continue
			case e.Number <= last[e.Group]:
				r.problem("%s heard message %d of group %s after %d", name, e.Number, e.Group, last[e.Group])
			}
			from, n := speaker(e.Text)
			if before := spoken[arrival{e.Group, from}]; n <= before {
				r.problem("%s heard text %d of %s in group %s after text %d", name, n, from, e.Group, before)
			}
			spoken[arrival{e.Group, from}] = n
			last[e.Group], places[at], heard[name][at] = e.Number, e.Number, true
			r.Heard++
		}
	}
	for _, from := range slices.Sorted(maps.Keys(members)) {
		for _, e := range members[from] {
			if e.Kind != Said {
				continue
			}
			r.Said++
			lost := 0
			for _, to := range slices.Sorted(maps.Keys(members)) {
				if to != from && !heard[to][arrival{e.Group, e.Text}] {
					r.problem("%q was said in group %s, and %s never heard it", e.Text, e.Group, to)
					lost = 1
				}
			}
			r.Lost += lost
		}
	}
}

func (r *Report) epochs(members map[string][]Entry) {
	type epoch struct {
		group  string
		number uint64
	}
	sums, newest := map[epoch]string{}, map[string]map[string]uint64{}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		for _, e := range members[name] {
			if e.Kind != Epoch {
				continue
			}
			at := epoch{e.Group, e.Number}
			if sum, known := sums[at]; known && sum != e.Sum {
				r.problem("epoch %d of group %s is not the same for %s and others: two commits made it", e.Number, e.Group, name)
			}
			sums[at] = e.Sum
			if newest[e.Group] == nil {
				newest[e.Group] = map[string]uint64{}
			}
			if e.Number < newest[e.Group][name] {
				r.problem("%s went back to epoch %d of group %s", name, e.Number, e.Group)
			}
			newest[e.Group][name] = e.Number
		}
	}
	r.Epochs = len(sums)
	for group, by := range newest {
		last := uint64(0)
		for _, n := range by {
			last = max(last, n)
		}
		for _, name := range slices.Sorted(maps.Keys(members)) {
			if by[name] != last {
				r.problem("%s ended in epoch %d of group %s, others in %d", name, by[name], group, last)
			}
		}
	}
}

func (r *Report) packages(all map[string][]Entry) {
	left := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		for _, e := range all[name] {
			if e.Kind != Fetch {
				continue
			}
			if before, twice := left[e.Sum]; twice && !e.LastResort {
				r.problem("one KeyPackage left for %s and for %s", before, name)
			}
			left[e.Sum] = name
		}
	}
	r.Packages = len(left)
}

func (r *Report) tokens(all map[string][]Entry) {
	paid := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		for _, e := range all[name] {
			if e.Kind == Double {
				r.Doubles++
			}
			if e.Kind != Paid {
				continue
			}
			for _, token := range e.Tokens {
				if before, spent := paid[token]; spent && before != e.Sum {
					r.problem("a token of %s paid for two requests", name)
				}
				paid[token] = e.Sum
			}
		}
	}
	r.Tokens = len(paid)
}

func (r *Report) failures(all map[string][]Entry) {
	for _, entries := range all {
		for _, e := range entries {
			switch e.Kind {
			case Away:
				r.Failures += e.Failures
				r.Away = max(r.Away, time.Duration(e.Number)*time.Millisecond)
			case Unsure:
				r.Unsure++
			}
		}
	}
}
