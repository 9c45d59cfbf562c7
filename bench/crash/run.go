package crash

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
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
	// Settings are put into the servers' configuration, such as the store.
	Settings map[string]any
	// Control has the service lose what was put into queues in the end, by putting
	// back an older copy of their store. The audit must see it.
	Control bool
	// Progress gets a line now and then.
	Progress io.Writer
}

// Outcome is what came of a run.
type Outcome struct {
	ServerKills, ClientKills int
	Took                     time.Duration
	*Report
}

// run is a run under way.
type run struct {
	Config
	Outcome
	servers []*program
	configs map[string]string // of the servers, by name
	dirs    map[string]string
	clients []*program
	members []*MemberConfig
	payers  [2]*MemberConfig // with copies of one vault
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
	r := &run{Config: cfg, configs: map[string]string{}, dirs: map[string]string{}}
	begun := time.Now()
	err := r.all(ctx)
	for _, p := range append(r.clients, r.servers...) {
		if p.command != nil {
			err = errors.Join(err, p.kill())
		}
	}
	if err != nil {
		return nil, err
	}
	r.Took = time.Since(begun)
	return &r.Outcome, nil
}

func (r *run) all(ctx context.Context) error {
	if err := r.serve(); err != nil {
		return err
	}
	if err := r.people(); err != nil {
		return err
	}
	fmt.Fprintf(r.Progress, "%d members of %d groups are there, in %s\n", len(r.members), r.Groups, r.Dir)
	for n := range r.Kills {
		if err := r.killSomething(ctx); err != nil {
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
	if r.Control {
		if err := r.lose(); err != nil {
			return err
		}
	} else if err := r.check(ctx); err != nil {
		return err
	}
	return r.audit()
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// serve starts the servers, each with a configuration of its own.
func (r *run) serve() error {
	one, err := freePort()
	if err != nil {
		return err
	}
	two, err := freePort()
	if err != nil {
		return err
	}
	first := map[string]any{
		"listen": one, "admin_listen": "127.0.0.1:0", "min_free": 1, "data": r.path("first"),
		"ds":     map[string]any{"per_leaf": map[string]any{"every": "1ms", "burst": 1000}},
		"issuer": map[string]any{"attesters": map[string]any{"proof_of_work": map[string]any{"memory_kib": 64, "passes": 1, "attempts": 1}}},
	}
	if !r.Split {
		return r.addServer("first", one, first)
	}
	first["roles"], first["qs"] = []string{"ds", "issuer"}, map[string]any{"url": "http://" + two}
	second := map[string]any{
		"listen": two, "admin_listen": "127.0.0.1:0", "min_free": 1, "data": r.path("second"), "roles": []string{"qs"}, "token_keys": r.path("keys"),
		"ds": map[string]any{"url": "http://" + one}, "issuer": map[string]any{"url": "http://" + one},
	}
	if err := r.writeConfig("first", first); err != nil {
		return err
	}
	if out, err := exec.Command(r.Server, "keys", "make", "-config", r.path("first.json")).CombinedOutput(); err != nil {
		return fmt.Errorf("crash: making keys: %w: %s", err, out)
	}
	if err := copyDir(r.path("keys"), r.path("first", "issuer", "keys")); err != nil {
		return err
	}
	if err := r.addServer("first", one, first); err != nil {
		return err
	}
	return r.addServer("second", two, second)
}

func (r *run) path(parts ...string) string {
	return filepath.Join(append([]string{r.Dir}, parts...)...)
}

func (r *run) writeConfig(name string, settings map[string]any) error {
	maps.Copy(settings, r.Settings)
	b, err := json.MarshalIndent(settings, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(r.path(name+".json"), b, 0o600)
}

func (r *run) addServer(name, address string, settings map[string]any) error {
	if err := r.writeConfig(name, settings); err != nil {
		return err
	}
	p := &program{name: "server " + name, args: []string{r.Server, "serve", "-config", r.path(name + ".json")}, log: r.path(name + ".log"), url: "http://" + address}
	r.servers = append(r.servers, p)
	r.configs[name], r.dirs[name] = r.path(name+".json"), r.path(name)
	if err := p.start(); err != nil {
		return err
	}
	return p.ready()
}

// people makes the clients and starts them.
func (r *run) people() error {
	config := func(name string) *MemberConfig {
		return &MemberConfig{Name: name, Vault: r.path(name), Record: r.path(name + ".record"), URL: r.servers[0].url}
	}
	for n := range r.Members {
		r.members = append(r.members, config(fmt.Sprintf("member%d", n+1)))
	}
	first, payer := r.members[0], config("payer")
	for _, m := range append(r.members[1:], payer) {
		first.Friends = append(first.Friends, m.Name)
		m.Friends = []string{first.Name}
	}
	payer.Payer = true
	if err := meet(r.members, payer, r.Groups); err != nil {
		return err
	}
	double := *payer
	double.Name, double.Vault, double.Record = "double", r.path("double"), r.path("double.record")
	r.payers = [2]*MemberConfig{payer, &double}
	if err := r.copyWallet(); err != nil {
		return err
	}
	for _, m := range append(append([]*MemberConfig{}, r.members...), payer, &double) {
		b, err := json.Marshal(m)
		if err != nil {
			return err
		}
		path := r.path(m.Name + ".member")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			return err
		}
		p := &program{name: m.Name, args: append(append([]string{}, r.Self...), path), log: r.path(m.Name + ".log")}
		r.clients = append(r.clients, p)
		if err := p.start(); err != nil {
			return err
		}
	}
	return nil
}

// copyWallet gives the double the payer's vault as it is. Neither may run.
func (r *run) copyWallet() error {
	from, to := r.payers[0].Vault, r.payers[1].Vault
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	return copyDir(to, from)
}

// killSomething kills a server or a client after a while, and starts it again.
func (r *run) killSomething(ctx context.Context) error {
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
	pause := func() { time.Sleep(rand.N(300 * time.Millisecond)) }
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
	for name, path := range r.configs {
		out, err := exec.CommandContext(ctx, r.Server, "fsck", "-config", path).CombinedOutput()
		if err != nil {
			return fmt.Errorf("crash: fsck of %s: %w: %s", name, err, out)
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
	r.Report = Audit(members, others)
	return nil
}
