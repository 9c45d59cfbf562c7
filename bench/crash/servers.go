package crash

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/pseudods/pseudods/internal/balance"
)

// replicas is how many processes of each role share a database.
const replicas = 2

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func (r *run) path(parts ...string) string {
	return filepath.Join(append([]string{r.Dir}, parts...)...)
}

// accountKeys is the file of the account keys of the members, against whom verdicts are.
// Their tokens come from proofs of work.
const accountKeys = "accounts"

// settings are those of every server, at an address.
func (r *run) settings(name, address string) map[string]any {
	return map[string]any{
		"moderation": map[string]any{"verdict_delay": "1s"},
		"listen":     address, "admin_listen": "127.0.0.1:0", "min_free": 1, "data": r.path(name),
		"ds": map[string]any{"per_leaf": map[string]any{"every": "1ms", "burst": 1000}},
		"issuer": map[string]any{"attesters": map[string]any{"proof_of_work": map[string]any{"memory_kib": 64, "passes": 1, "attempts": 1},
			"account_key": map[string]any{"keys": r.path(accountKeys)}}},
	}
}

// serve starts the servers, each with a configuration and a store of its own.
func (r *run) serve() error {
	if err := os.WriteFile(r.path(accountKeys), nil, 0o600); err != nil {
		return err
	}
	if r.database != nil {
		return r.serveReplicas()
	}
	one, err := freePort()
	if err != nil {
		return err
	}
	two, err := freePort()
	if err != nil {
		return err
	}
	r.url = "http://" + one
	first := r.settings("first", one)
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

// serveReplicas starts several servers of each role on the role's database, behind
// one address. They share their keys, and have fences of their own.
func (r *run) serveReplicas() error {
	sets := [][]string{{"ds", "qs", "issuer"}}
	if r.Split {
		sets = [][]string{{"ds", "issuer"}, {"qs"}}
	}
	fronts := make([]string, len(sets))
	for i := range sets {
		var err error
		if fronts[i], err = freePort(); err != nil {
			return err
		}
	}
	r.url = "http://" + fronts[0]
	for i, roles := range sets {
		var behind []string
		for n := range replicas {
			address, err := freePort()
			if err != nil {
				return err
			}
			behind = append(behind, address)
			name := fmt.Sprintf("%s%d", roles[0], n+1)
			s := r.settings(name, address)
			s["url"], s["roles"] = "http://"+fronts[i], roles
			moderation := s["moderation"].(map[string]any)
			moderation["keys"] = r.path("moderation-keys")
			moderation["database"] = map[string]any{"postgres": r.urls["moderation"], "connections": 4, "accept": r.database.accept()}
			if i > 0 {
				delete(s, "moderation")
			}
			ds, issuer, qs := s["ds"].(map[string]any), s["issuer"].(map[string]any), map[string]any{}
			s["qs"] = qs
			ds["keys"], qs["keys"] = r.path("ds-keys"), r.path("qs-keys")
			issuer["dir"], issuer["fence"] = r.path("issuer"), r.path(name+".fence")
			for role, of := range map[string]map[string]any{"ds": ds, "qs": qs, "issuer": issuer} {
				if !r.Split || (role == "qs") == (i == 1) {
					of["database"] = map[string]any{"postgres": r.urls[role], "connections": 4, "accept": r.database.accept(), "join": n > 0}
					continue
				}
				for _, file := range []string{"dir", "fence", "attesters", "keys"} {
					delete(of, file)
				}
				of["url"] = "http://" + fronts[1-i]
				if role == "issuer" {
					s["token_keys"] = r.path("issuer", "keys")
				}
			}
			if i == 0 && n == 0 {
				r.issuer = name
			}
			if n == 0 {
				if err := r.refuse(s, roles); err != nil {
					return err
				}
			}
			if err := r.addServer(name, address, s); err != nil {
				return err
			}
		}
		stop, err := balance.Listen(fronts[i], behind...)
		if err != nil {
			return err
		}
		r.stops = append(r.stops, stop)
	}
	return nil
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
	p := &program{name: "server " + name, args: []string{r.Server, "serve", "-config", r.path(name + ".json")}, log: r.path(name + ".log"),
		url: "http://" + address, again: r.database != nil}
	r.servers = append(r.servers, p)
	r.configs[name], r.dirs[name] = r.path(name+".json"), r.path(name)
	if settings["moderation"] != nil {
		r.judges = append(r.judges, name)
	}
	if err := p.start(); err != nil {
		return err
	}
	return p.ready()
}
