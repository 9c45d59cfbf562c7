package crash

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// Ruling is what was decided about a report of a text.
type Ruling struct {
	Group, Text, Accused string
	// Weight is that of an upheld report; empty if it was dismissed.
	Weight string
	// Told: a server said that it is decided.
	Told bool
}

// Rulings are those of a run, and what the stores have of them in the end.
type Rulings struct {
	// Cases are the rulings by the names of the cases.
	Cases map[string]*Ruling
	// Problems are what came up on the way.
	Problems []string
	// Open, Decided and Waiting are the cases without and with a decision, and the
	// verdicts that were not sent yet. Verdicts are those that are in effect.
	Open, Decided, Waiting, Verdicts int
}

// upheld counts the cases of which there must be a verdict.
func (r *Rulings) upheld() (n int) {
	for _, c := range r.Cases {
		if c.Weight != "" {
			n++
		}
	}
	return n
}

// moderator decides reports while servers are killed, as an operator does.
type moderator struct {
	run *run
	end context.CancelFunc
	// ended is closed when it does no more by itself.
	ended chan struct{}

	// mu guards rulings.
	mu      sync.Mutex
	rulings Rulings
}

// between is how long the moderator waits before it looks again.
const between = time.Second

// moderate starts the moderator.
func (r *run) moderate(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	m := &moderator{run: r, end: cancel, ended: make(chan struct{}), rulings: Rulings{Cases: map[string]*Ruling{}}}
	r.moderator = m
	go func() {
		defer close(m.ended)
		for ctx.Err() == nil {
			m.look(ctx) // what fails now is done again
			select {
			case <-ctx.Done():
			case <-time.After(between):
			}
		}
	}()
}

// stop has the moderator do no more by itself.
func (m *moderator) stop() {
	if m != nil {
		m.end()
		<-m.ended
	}
}

// finish decides what is left, when no server is killed any more.
func (m *moderator) finish(ctx context.Context) error {
	m.stop()
	var err error
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(between) {
		var left int
		if left, err = m.look(ctx); err == nil && left == 0 {
			return nil
		}
	}
	return fmt.Errorf("crash: not all reports can be decided: %w", err)
}

// look asks one of the servers for the open cases and decides them, and those whose
// decision was not answered. It returns how many were open.
func (m *moderator) look(ctx context.Context) (open int, err error) {
	config := m.run.configs[m.run.judges[rand.IntN(len(m.run.judges))]]
	out, err := m.reports(ctx, "list", "-json", "-config", config)
	if err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for lines := json.NewDecoder(bytes.NewReader(out)); lines.More(); open++ {
		var shown struct {
			Case   string
			Report struct {
				Accused  struct{ Name string }
				Group    string
				Messages []struct{ Text string }
			}
		}
		if err := lines.Decode(&shown); err != nil || len(shown.Report.Messages) != 1 {
			return open, fmt.Errorf("crash: a report of %d messages: %w", len(shown.Report.Messages), err)
		}
		was := m.rulings.Cases[shown.Case]
		if was == nil {
			// The same decision each time, whatever became of the one before.
			weight := []string{"", "low", "normal", "severe"}[len(m.rulings.Cases)%4]
			m.rulings.Cases[shown.Case] = &Ruling{Group: shown.Report.Group, Text: shown.Report.Messages[0].Text, Accused: shown.Report.Accused.Name, Weight: weight}
		} else if was.Told {
			m.rulings.Problems = append(m.rulings.Problems, fmt.Sprintf("the report of %q in group %s was decided, and is open again", was.Text, was.Group))
			was.Told = false
		}
	}
	for _, id := range slices.Sorted(maps.Keys(m.rulings.Cases)) {
		if c := m.rulings.Cases[id]; !c.Told {
			err = errors.Join(err, m.decide(ctx, config, id, c))
		}
	}
	return open, err
}

func (m *moderator) decide(ctx context.Context, config, id string, c *Ruling) error {
	args := []string{"dismiss", "-config", config, id}
	if c.Weight != "" {
		args = []string{"uphold", "-config", config, "-weight", c.Weight, id}
	}
	_, err := m.reports(ctx, args...)
	if err != nil && strings.Contains(err.Error(), "decided otherwise") {
		m.rulings.Problems = append(m.rulings.Problems, fmt.Sprintf("the report of %q in group %s was decided otherwise", c.Text, c.Group))
		err = nil
	}
	c.Told = err == nil
	return err
}

// judged has all reports decided and all verdicts sent, while servers are killed once
// more, and counts what the stores have then.
func (r *run) judged(ctx context.Context) error {
	if err := r.moderator.finish(ctx); err != nil {
		return err
	}
	for end := time.Now().Add(time.Minute); ; {
		if err := r.check(ctx); err != nil {
			return err
		}
		of := &r.moderator.rulings
		of.Open, of.Decided, of.Waiting = r.counted["moderation open case"], r.counted["moderation decided case"], r.counted["moderation waiting verdict"]
		of.Verdicts = r.counted["issuer verdict"]
		if of.Waiting == 0 || time.Now().After(end) {
			return nil
		}
		for _, s := range r.servers {
			if err := errors.Join(s.start(), s.ready()); err != nil {
				return err
			}
		}
		time.Sleep(3 * time.Second)
	}
}

func (m *moderator) reports(ctx context.Context, args ...string) ([]byte, error) {
	c := exec.CommandContext(ctx, m.run.Server, append([]string{"reports"}, args...)...)
	var failure bytes.Buffer
	c.Stderr = &failure
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("crash: reports: %w: %s", err, failure.Bytes())
	}
	return out, nil
}

// rulings compares what clients reported with what was decided.
func (r *Report) rulings(members map[string][]Entry, c *Rulings) {
	r.Problems = append(r.Problems, c.Problems...)
	decided := map[arrival]bool{}
	for _, id := range slices.Sorted(maps.Keys(c.Cases)) {
		ruling := c.Cases[id]
		at := arrival{ruling.Group, ruling.Text}
		if from, _ := speaker(ruling.Text); from != ruling.Accused {
			r.problem("%q is accused of having said %q", ruling.Accused, ruling.Text)
		}
		if decided[at] {
			r.problem("the report of %q in group %s is two cases", ruling.Text, ruling.Group)
		}
		if !ruling.Told {
			r.problem("the report of %q in group %s is not decided", ruling.Text, ruling.Group)
		}
		decided[at] = true
	}
	reported := map[arrival]bool{}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		for _, e := range members[name] {
			if at := (arrival{e.Group, e.Text}); e.Kind == Reported && !reported[at] {
				reported[at] = true
				if !decided[at] {
					r.LostReports++
					r.problem("%s was told that its report of %q in group %s was taken, and nobody could decide it", name, e.Text, e.Group)
				}
			}
		}
	}
	r.Reports, r.Cases, r.Upheld, r.Verdicts = len(reported), len(c.Cases), c.upheld(), c.Verdicts
	if c.Open > 0 || c.Decided != len(c.Cases) {
		r.problem("of %d cases the store has %d as decided and %d as open", len(c.Cases), c.Decided, c.Open)
	}
	if c.Waiting > 0 || c.Verdicts != r.Upheld {
		r.problem("of %d upheld reports %d have a verdict in effect and %d one that waits", r.Upheld, c.Verdicts, c.Waiting)
	}
}
