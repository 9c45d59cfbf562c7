package crash

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pseudods/pseudods/internal/daemon"
)

// refuse checks that a server would not start on a database that may lose what it
// acknowledges, unless its operator says so.
func (r *run) refuse(settings map[string]any, roles []string) error {
	if len(r.database.accept()) == 0 {
		return nil
	}
	if settings["moderation"] != nil {
		roles = append(slices.Clone(roles), "moderation")
	}
	careless := maps.Clone(settings)
	for _, role := range roles {
		of := maps.Clone(settings[role].(map[string]any))
		of["database"] = maps.Clone(of["database"].(map[string]any))
		of["database"].(map[string]any)["accept"] = []string{}
		careless[role] = of
	}
	if err := r.writeConfig("careless", careless); err != nil {
		return err
	}
	out, err := exec.Command(r.Server, "database", "check", "-config", r.path("careless.json")).CombinedOutput()
	if err == nil {
		return errors.New("crash: a server takes a database that may lose what it acknowledges")
	}
	for _, risk := range r.database.accept() {
		if !strings.Contains(string(out), risk) {
			return fmt.Errorf("crash: a server does not name the risk %s: %s", risk, out)
		}
	}
	fmt.Fprintf(r.Progress, "unless its operator accepts it, a server refuses this database:\n%s", out)
	return nil
}

// A server must see within seen that its database has lost something, and say so
// for lasting: for a moment it may say so since the database is away.
const (
	seen    = 30 * time.Second
	lasting = 3 * time.Second
)

// unready waits until a server says that it does not work.
func (r *run) unready(p *program) error {
	b, err := os.ReadFile(filepath.Join(r.dirs[strings.TrimPrefix(p.name, "server ")], daemon.RunningFile))
	if err != nil {
		return err
	}
	var running daemon.Running
	if err := json.Unmarshal(b, &running); err != nil {
		return err
	}
	probe := &http.Client{Timeout: 5 * time.Second}
	since := time.Time{}
	for end := time.Now().Add(seen); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		res, err := probe.Get(running.Admin + "/readyz")
		if err != nil {
			return err
		}
		res.Body.Close()
		switch {
		case res.StatusCode == http.StatusOK:
			since = time.Time{}
		case since.IsZero():
			since = time.Now()
		case time.Since(since) > lasting:
			return nil
		}
	}
	return fmt.Errorf("crash: %s does not see that its database lost something", p.name)
}

// failOver has one member talk while what is written reaches no standby, and then
// lets a standby take over. The others never hear what was said.
func (r *run) failOver(ctx context.Context) error {
	for _, step := range []func(context.Context) error{r.database.hold, r.aloneTalk, r.database.failOver} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	// The servers see it by their fences, and take no more.
	for _, s := range r.servers {
		if err := r.unready(s); err != nil {
			return err
		}
	}
	fmt.Fprintln(r.Progress, "all servers saw that their database lost something, and took no more; they are started again")
	for _, s := range r.servers {
		if err := s.kill(); err != nil {
			return err
		}
	}
	rotate := exec.CommandContext(ctx, r.Server, "keys", "rotate", "-compromised", "-config", r.path(r.issuer+".json"), "issuer")
	if out, err := rotate.CombinedOutput(); err != nil {
		return fmt.Errorf("crash: rotating keys: %w: %s", err, out)
	}
	for _, s := range r.servers {
		// What an account got in the lost moments it may get again.
		s.args = append(s.args, "-accept-restored")
		if err := errors.Join(s.start(), s.ready()); err != nil {
			return err
		}
	}
	return nil
}

// aloneTalk has one member talk while no other reads.
func (r *run) aloneTalk(context.Context) error {
	if err := r.clients[0].start(); err != nil {
		return err
	}
	time.Sleep(3 * time.Second)
	return r.clients[0].end(patience)
}
