package crash

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Config says what is to be run. Dir, Server and Self must be set.
type Config struct {
	// Dir is an empty directory for everything, which stays.
	Dir string
	// Server is the path of the program pseudods.
	Server string
	// Self is the command line of a process that calls [Member] with the path that
	// is appended to it.
	Self []string
	// Kills is how often something is killed.
	Kills int
	// Members, at least 2, and Groups are how many there are. Default 3 and 2.
	Members, Groups int
	// Split has the queue service run in a process of its own.
	Split bool
	// Store is where the servers' stores are. In a database there are two processes
	// of each role.
	Store Store
	// Settings are put into the servers' configuration, such as the store.
	Settings map[string]any
	// Control has the service lose what was said in the end: by putting back an older
	// copy of the queues' store, or by a failover of the database to a standby that
	// had not received it. The audit must see it.
	Control bool
	// Progress gets a line now and then.
	Progress io.Writer
}

// Outcome is what came of a run.
type Outcome struct {
	ServerKills, ClientKills int
	// Database counts kills of database servers, by what they were.
	Database map[string]int
	// Restarts is how often servers ended by themselves, since their database was
	// away when they started, and were started again.
	Restarts int
	Took     time.Duration
	*Report
}

// run is a run under way.
type run struct {
	Config
	Outcome
	database database          // nil where servers have stores of their own
	urls     map[string]string // of each role's database
	url      string            // of the service
	stops    []func() error
	issuer   string // the server that has the issuer's configuration
	servers  []*program
	configs  map[string]string // of the servers, by name
	judges   []string          // the names of those that have reports
	dirs     map[string]string
	clients  []*program
	members  []*MemberConfig
	payers   [2]*MemberConfig // with copies of one vault
	// moderator decides reports; nil in a control.
	moderator *moderator
	counted   map[string]int // what the last check found, by "role kind"
}

// Run runs a service and its clients and audits them. An error means that the run
// could not be carried out; what the audit found is in the outcome.
func Run(ctx context.Context, cfg Config) (*Outcome, error) {
	if cfg.Members == 0 {
		cfg.Members = 3
	}
	if cfg.Groups == 0 {
		cfg.Groups = 2
	}
	if cfg.Members < 2 || cfg.Kills < 1 || cfg.Groups < 1 {
		return nil, errors.New("crash: at least two members, a group and a kill")
	}
	if cfg.Progress == nil {
		cfg.Progress = io.Discard
	}
	r := &run{Config: cfg, configs: map[string]string{}, dirs: map[string]string{}, urls: map[string]string{}}
	r.Database = map[string]int{}
	begun := time.Now()
	err := r.all(ctx)
	r.moderator.stop()
	for _, p := range append(r.clients, r.servers...) {
		if p.command != nil {
			err = errors.Join(err, p.kill())
		}
		r.Restarts += p.restarts
	}
	for _, stop := range r.stops {
		err = errors.Join(err, stop())
	}
	if r.database != nil {
		err = errors.Join(err, r.database.remove())
	}
	if err != nil {
		return nil, err
	}
	r.Took = time.Since(begun)
	return &r.Outcome, nil
}

func (r *run) all(ctx context.Context) error {
	if err := r.openDatabase(ctx); err != nil {
		return err
	}
	if err := r.serve(); err != nil {
		return err
	}
	if err := r.people(); err != nil {
		return err
	}
	fmt.Fprintf(r.Progress, "%d members of %d groups are there, in %s\n", len(r.members), r.Groups, r.Dir)
	if !r.Control {
		r.moderate(ctx)
	}
	for n := range r.Kills {
		err := error(nil)
		if r.database != nil && n%databaseEvery == databaseEvery/2 {
			err = r.killDatabase(ctx)
		} else {
			err = r.killSomething(ctx)
		}
		if err != nil {
			return err
		}
		if (n+1)%50 == 0 {
			fmt.Fprintf(r.Progress, "%d kills\n", n+1)
		}
	}
	for _, s := range r.servers {
		if err := s.ready(); err != nil {
			return err
		}
	}
	if err := r.endClients(); err != nil {
		return err
	}
	if r.Control && r.database != nil {
		if err := r.failOver(ctx); err != nil {
			return err
		}
		// A client that was told of what is gone may never catch up.
		behind := r.endClients()
		if err := r.audit(); err != nil || behind == nil {
			return err
		}
		r.problem("%v", behind)
		return nil
	}
	if r.Control {
		if err := r.lose(ctx); err != nil {
			return err
		}
	} else if err := r.judged(ctx); err != nil {
		return err
	}
	return r.audit()
}

// copyWallet gives the double the payer's vault as it is. Neither may run.
func (r *run) copyWallet() error {
	from, to := r.payers[0].Vault, r.payers[1].Vault
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	return copyDir(to, from)
}

// watch lets everybody do what they do for a while.
func (r *run) watch(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(100*time.Millisecond + rand.N(700*time.Millisecond)):
	}
	for _, p := range append(append([]*program{}, r.servers...), r.clients...) {
		if err := p.failure(); err != nil {
			return err
		}
	}
	return nil
}

func pause() { time.Sleep(rand.N(300 * time.Millisecond)) }

// killSomething kills a server or a client after a while, and starts it again.
func (r *run) killSomething(ctx context.Context) error {
	if err := r.watch(ctx); err != nil {
		return err
	}
	if rand.IntN(2) == 0 {
		s := r.servers[rand.IntN(len(r.servers))]
		r.ServerKills++
		if err := s.kill(); err != nil {
			return err
		}
		pause()
		if err := s.start(); err != nil {
			return err
		}
		if rand.IntN(8) == 0 {
			return nil // and perhaps it is killed while it starts
		}
		return s.ready()
	}
	r.ClientKills++
	n := rand.IntN(len(r.members) + 1)
	if n < len(r.members) {
		if err := r.clients[n].kill(); err != nil {
			return err
		}
		pause()
		return r.clients[n].start()
	}
	payers := r.clients[len(r.members):]
	for _, p := range payers {
		if err := p.kill(); err != nil {
			return err
		}
	}
	if err := r.copyWallet(); err != nil {
		return err
	}
	return errors.Join(payers[0].start(), payers[1].start())
}

// patience is how long a client may take to catch up.
const patience = 3 * time.Minute

// endClients lets all clients catch up, twice: what one sends last, another may
// have left too early for.
func (r *run) endClients() error {
	for round := range 2 {
		done := make(chan error, len(r.clients))
		for _, p := range r.clients {
			go func() {
				if round > 0 {
					if err := p.start(); err != nil {
						done <- err
						return
					}
				}
				done <- p.end(patience)
			}()
		}
		var failed error
		for range r.clients {
			failed = errors.Join(failed, <-done)
		}
		if failed != nil {
			return failed
		}
	}
	return nil
}

// check has the stores checked that servers leave which are killed.
func (r *run) check(ctx context.Context) error {
	for _, s := range r.servers {
		if err := s.kill(); err != nil {
			return err
		}
	}
	r.counted = map[string]int{}
	if r.database != nil {
		return r.checkDatabases(ctx)
	}
	for _, path := range r.configs {
		if err := r.fsck(ctx, "-config", path); err != nil {
			return err
		}
	}
	return nil
}

// fsck checks stores, and adds to what is counted.
func (r *run) fsck(ctx context.Context, args ...string) error {
	c := exec.CommandContext(ctx, r.Server, append([]string{"fsck"}, args...)...)
	var findings bytes.Buffer
	c.Stderr = &findings
	out, err := c.Output()
	if err != nil {
		return fmt.Errorf("crash: fsck %s: %w: %s%s", args[:2], err, findings.Bytes(), out)
	}
	for line := range strings.Lines(string(out)) {
		// The number comes before the kind, whatever else is in a line.
		cells := regexp.MustCompile(` {2,}`).Split(strings.TrimSpace(line), -1)
		for i, cell := range cells[:len(cells)-1] {
			if n, err := strconv.Atoi(cell); err == nil {
				r.counted[cells[0]+" "+cells[i+1]] += n
				break
			}
		}
	}
	return nil
}

// audit reads the records.
func (r *run) audit() error {
	members, others := map[string][]Entry{}, map[string][]Entry{}
	var err error
	for _, m := range r.members {
		if members[m.Name], err = readRecord(m.Record); err != nil {
			return err
		}
	}
	for _, m := range r.payers {
		if others[m.Name], err = readRecord(m.Record); err != nil {
			return err
		}
	}
	var rulings *Rulings
	if r.moderator != nil {
		rulings = &r.moderator.rulings
	}
	r.Report = Audit(members, others, rulings)
	return nil
}
