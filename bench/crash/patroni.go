package crash

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	example "github.com/pseudods/pseudods/deploy/patroni"
	"github.com/pseudods/pseudods/storage/postgres/pgserver"
)

// superuser is that of servers under Patroni.
const superuser = "postgres"

// patroni is three servers, each with its agent, and three nodes of etcd, in a directory
// of its own.
type patroni struct {
	dir      string
	logs     string
	as       []string // what a command line begins with
	loses    bool
	etcd     []*etcdNode
	nodes    []*node
	kills    int
	progress io.Writer
}

// node is a server with its agent.
type node struct {
	name, api, address, data string
	agent                    *program
}

// startPatroni starts the servers as the example in deploy says, or with asynchronous
// replication.
func startPatroni(ctx context.Context, logs string, loses bool, progress io.Writer) (database, error) {
	p := &patroni{logs: logs, loses: loses, progress: progress}
	err := p.prepare()
	if err == nil {
		err = p.start(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, p.remove())
	}
	return p, nil
}

func (p *patroni) prepare() (err error) {
	for _, name := range []string{"patroni", "etcd", "psql"} {
		if _, err := exec.LookPath(name); err != nil {
			return fmt.Errorf("crash: %w (apt-get install patroni etcd-server postgresql)", err)
		}
	}
	if p.dir, err = os.MkdirTemp("", "patroni"); err != nil || os.Getuid() != 0 {
		return err
	}
	// A server refuses to run as root. What this process has started ends with it.
	p.as = []string{"setpriv", "--reuid=" + superuser, "--regid=" + superuser, "--init-groups", "--pdeathsig=TERM"}
	u, err := user.Lookup(superuser)
	if err != nil {
		return err
	}
	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	return errors.Join(err1, err2, os.Chown(p.dir, uid, gid))
}

func (p *patroni) program(name string, args ...string) *program {
	return &program{name: name, args: append(append([]string{}, p.as...), args...), log: filepath.Join(p.logs, name+".log")}
}

func (p *patroni) start(ctx context.Context) error {
	ports := make([]string, 2*3)
	for i := range ports {
		var err error
		if ports[i], err = freePort(); err != nil {
			return err
		}
	}
	if err := p.startEtcd(); err != nil {
		return err
	}
	bin, err := pgserver.Bin()
	if err != nil {
		return err
	}
	// Here all is on loopback, and everybody may sign in.
	local := strings.NewReplacer("hostssl", "host", "10.0.0.0/24", "127.0.0.1/32", "scram-sha-256", "trust", "/var/run/postgresql", p.dir)
	config := local.Replace(example.Config)
	if p.loses {
		config = strings.NewReplacer("synchronous_mode: true", "synchronous_mode: false", "synchronous_mode_strict: true", "synchronous_mode_strict: false",
			"maximum_lag_on_failover: 1048576", "maximum_lag_on_failover: 1073741824").Replace(config)
	}
	file := filepath.Join(p.dir, "patroni.yml")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		return err
	}
	for i := range 3 {
		name := fmt.Sprint("node", i+1)
		n := &node{name: name, api: ports[2*i], address: ports[1+2*i], data: filepath.Join(p.dir, name)}
		n.agent = p.program(name, "patroni", file)
		n.agent.env = []string{"PATRONI_NAME=" + name, "PATRONI_RESTAPI_LISTEN=" + n.api, "PATRONI_RESTAPI_CONNECT_ADDRESS=" + n.api,
			"PATRONI_POSTGRESQL_LISTEN=" + n.address, "PATRONI_POSTGRESQL_CONNECT_ADDRESS=" + n.address, "PATRONI_POSTGRESQL_DATA_DIR=" + n.data,
			"PATRONI_POSTGRESQL_BIN_DIR=" + bin, "PATRONI_POSTGRESQL_PGPASS=" + filepath.Join(p.dir, name+".pgpass"),
			"PATRONI_SUPERUSER_PASSWORD=none", "PATRONI_REPLICATION_PASSWORD=none", "PATRONI_ETCD3_HOSTS=" + p.etcdHosts()}
		p.nodes = append(p.nodes, n)
		if err := n.agent.start(); err != nil {
			return err
		}
	}
	if err := p.await("three nodes", func() bool { return p.whole(ctx) }); err != nil {
		return err
	}
	fmt.Fprintf(p.progress, "three nodes of Patroni are there, %s leads\n", p.with("leader").name)
	return nil
}

// with returns the node of a role as one of the agents tells it; nil if there is none.
func (p *patroni) with(role string) *node {
	probe := &http.Client{Timeout: 2 * time.Second}
	for _, n := range p.nodes {
		res, err := probe.Get("http://" + n.api + "/cluster")
		if err != nil {
			continue
		}
		var cluster struct {
			Members []struct{ Name, Role, State string }
		}
		err = json.NewDecoder(res.Body).Decode(&cluster)
		res.Body.Close()
		if err != nil {
			continue
		}
		for _, m := range cluster.Members {
			if m.Role != role || m.State != "running" && m.State != "streaming" {
				continue
			}
			for _, n := range p.nodes {
				if n.name == m.Name {
					return n
				}
			}
		}
	}
	return nil
}

// whole reports whether both standbys have all there is, and one of them gets it
// synchronously, unless commits are to be lost.
func (p *patroni) whole(ctx context.Context) bool {
	want := "2 1"
	if p.loses {
		want = "2 0"
	}
	out, err := ask(ctx, p, "postgres", "select count(*), count(*) filter (where sync_state = 'sync') from pg_stat_replication where state = 'streaming' and replay_lsn > pg_current_wal_lsn() - 65536")
	return err == nil && out == want && p.with("leader") != nil && (p.loses || p.with("sync_standby") != nil)
}

// await waits for something that the agents bring about.
func (p *patroni) await(what string, is func() bool) error {
	for end := time.Now().Add(3 * time.Minute); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if is() {
			return nil
		}
		for _, n := range p.nodes {
			if err := n.agent.failure(); err != nil {
				return err
			}
		}
		for _, n := range p.etcd {
			if err := n.program.failure(); err != nil {
				return err
			}
		}
	}
	return fmt.Errorf("crash: Patroni does not come to %s; see the logs in %s", what, p.logs)
}

// settle waits until all nodes have what was made on the leader: a client that comes
// to a standby without its database looks no further.
func (p *patroni) settle(ctx context.Context) error {
	return p.await("equal nodes", func() bool {
		out, err := ask(ctx, p, "postgres", "select count(*) from pg_stat_replication where replay_lsn >= pg_current_wal_lsn()")
		return err == nil && out == "2"
	})
}

func (p *patroni) url(login, name string) string {
	var at []string
	for _, n := range p.nodes {
		at = append(at, n.address)
	}
	return fmt.Sprintf("postgres://%s@%s/%s?target_session_attrs=read-write&sslmode=disable&connect_timeout=2", login, strings.Join(at, ","), name)
}

// parameters names all nodes, of which the one that takes writes is used.
func (p *patroni) parameters(name string) string {
	var hosts, ports []string
	for _, n := range p.nodes {
		host, port, _ := strings.Cut(n.address, ":")
		hosts, ports = append(hosts, host), append(ports, port)
	}
	return fmt.Sprintf("host=%s port=%s dbname=%s sslmode=disable", strings.Join(hosts, ","), strings.Join(ports, ","), name)
}

// environ names the leader alone: what a program has just made there, a standby may
// not have yet, and that ends the search for a server that takes writes.
func (p *patroni) environ() []string {
	n := p.with("leader")
	if n == nil {
		n = p.nodes[0]
	}
	host, port, _ := strings.Cut(n.address, ":")
	return []string{"PGHOST=" + host, "PGPORT=" + port, "PGUSER=" + superuser, "PGCONNECT_TIMEOUT=2"}
}

func (p *patroni) accept() []string {
	if p.loses {
		return []string{"asynchronous-replication"}
	}
	return []string{"asynchronous-standby"}
}

// postmaster is the process of a node's server.
func (n *node) postmaster() (int, error) {
	b, err := os.ReadFile(filepath.Join(n.data, "postmaster.pid"))
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(b), "\n")
	return strconv.Atoi(first)
}

// kill ends a node's agent and all processes of its server.
func (n *node) kill() error {
	if err := n.agent.kill(); err != nil {
		return err
	}
	pid, err := n.postmaster()
	if err != nil {
		return err
	}
	return pgserver.KillAll(pid)
}

// kill takes the leader, its synchronous standby and the leader of etcd in turns. The
// node comes back once another has its place.
func (p *patroni) kill() (string, func() error, error) {
	what, role := "leader", "leader"
	p.kills++
	switch p.kills % 3 {
	case 2:
		what, role = "synchronous standby", "sync_standby"
	case 0:
		return p.killEtcd()
	}
	victim := p.with(role)
	if victim == nil {
		return what, nil, fmt.Errorf("crash: there is no %s", what)
	}
	begun := time.Now()
	back := func() error {
		err := p.await("another "+what, func() bool {
			other := p.with(role)
			return other != nil && other != victim
		})
		if err != nil {
			return err
		}
		another := time.Since(begun)
		if err := victim.agent.start(); err != nil {
			return err
		}
		if err := p.await("three nodes", func() bool { return p.whole(context.Background()) }); err != nil {
			return err
		}
		fmt.Fprintf(p.progress, "the %s, %s, was killed: another after %.1f s, all three after %.1f s\n", what, victim.name, another.Seconds(), time.Since(begun).Seconds())
		return nil
	}
	return what, back, victim.kill()
}

func (p *patroni) hold(context.Context) error {
	leader := p.with("leader")
	if leader == nil {
		return errors.New("crash: there is no leader")
	}
	pid, err := leader.postmaster()
	if err != nil {
		return err
	}
	return pgserver.HoldSenders(pid)
}

func (p *patroni) failOver(context.Context) error {
	leader := p.with("leader")
	if leader == nil {
		return errors.New("crash: there is no leader")
	}
	if err := leader.kill(); err != nil {
		return err
	}
	return p.await("another leader", func() bool {
		other := p.with("leader")
		return other != nil && other != leader
	})
}

// remove ends all that runs, agents first, and deletes what they have.
func (p *patroni) remove() error {
	var failed error
	for _, n := range p.nodes {
		if n.agent.command != nil {
			failed = errors.Join(failed, n.agent.kill())
		}
		if pid, err := n.postmaster(); err == nil {
			pgserver.KillAll(pid) // it may have ended before
		}
	}
	for _, n := range p.etcd {
		if n.program != nil && n.program.command != nil {
			failed = errors.Join(failed, n.program.kill())
		}
	}
	if failed != nil || p.dir == "" {
		return failed
	}
	return os.RemoveAll(p.dir)
}
