package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Required is the environment variable without which tests that need a server are
// skipped, so that plain `go test` needs Go alone.
const Required = "PGTEST_REQUIRED"

// Superuser is the name of the cluster's superuser.
const Superuser = "root"

// Cluster is a running server.
type Cluster struct {
	bin, dir string
	as       *syscall.Credential
	server   *exec.Cmd
	exited   chan error
	settings []string
}

var (
	mu     sync.Mutex
	shared *Cluster
)

// Main runs the tests and ends the server that they shared.
func Main(m *testing.M) int {
	code := m.Run()
	mu.Lock()
	defer mu.Unlock()
	if shared != nil {
		shared.remove()
	}
	return code
}

// Shared returns the server of this test binary, and starts it first.
func Shared(t testing.TB) *Cluster {
	t.Helper()
	mu.Lock()
	defer mu.Unlock()
	if shared == nil {
		shared = start(t)
	}
	return shared
}

// Start returns a server of the test's own, with more settings "name=value".
func Start(t testing.TB, settings ...string) *Cluster {
	t.Helper()
	c := start(t, settings...)
	t.Cleanup(c.remove)
	return c
}

// Bin returns the directory of the newest binaries, or skips the test.
func Bin(t testing.TB) string {
	t.Helper()
	if os.Getenv(Required) == "" {
		t.Skip("needs PostgreSQL, see `make test-engines`")
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	slices.SortFunc(found, func(a, b string) int { return release(a) - release(b) })
	if len(found) > 0 {
		return filepath.Dir(found[len(found)-1])
	}
	t.Fatal("no PostgreSQL server is installed (apt-get install postgresql)")
	return ""
}

func release(path string) int {
	n, _ := strconv.Atoi(strings.Split(path, "/")[4])
	return n
}

// credential is whom the server runs as: it refuses to run as root.
func credential() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
			gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, errors.Join(err1, err2)
		}
	}
	return nil, errors.New("no user to run a server as")
}

func start(t testing.TB, settings ...string) *Cluster {
	t.Helper()
	c := &Cluster{bin: Bin(t), settings: settings}
	if err := c.create(); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *Cluster) create() (err error) {
	if c.as, err = credential(); err != nil {
		return err
	}
	if c.dir, err = os.MkdirTemp("", "pgtest"); err != nil {
		return err
	}
	if c.as != nil {
		if err := os.Chown(c.dir, int(c.as.Uid), int(c.as.Gid)); err != nil {
			return err
		}
	}
	initdb := c.command("initdb", "-D", c.data(), "-U", Superuser, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions")
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return c.start()
}

func (c *Cluster) data() string { return filepath.Join(c.dir, "data") }

// command prepares one of the server's programs.
func (c *Cluster) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.bin, name), args...)
	cmd.Dir = c.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.as}
	return cmd
}

func (c *Cluster) start() error {
	args := []string{"-D", c.data(), "-k", c.dir, "-h", "", "-c", "max_connections=200", "-c", "shared_buffers=128MB", "-c", "log_min_messages=fatal"}
	for _, s := range c.settings {
		args = append(args, "-c", s)
	}
	c.server = c.command("postgres", args...)
	log, err := os.OpenFile(filepath.Join(c.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	c.server.Stdout, c.server.Stderr = log, log
	// The server ends when this process does, however that ends: the signal comes
	// when the thread ends that started it, so that is one that stays.
	c.server.SysProcAttr.Pdeathsig = syscall.SIGQUIT
	started := make(chan error)
	c.exited = make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		err := c.server.Start()
		if started <- err; err == nil {
			c.exited <- c.server.Wait()
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	deadline := time.Now().Add(30 * time.Second)
	for {
		conn, err := pgx.Connect(context.Background(), c.URL("postgres", Superuser))
		if err == nil {
			return conn.Close(context.Background())
		}
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(filepath.Join(c.dir, "log"))
			return fmt.Errorf("the server does not start: %w\n%s", err, log)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// URL is a connection string.
func (c *Cluster) URL(database, login string) string {
	return fmt.Sprintf("postgres://%s@/%s?host=%s", login, database, c.dir)
}

// Socket is the path of the server's socket.
func (c *Cluster) Socket() string { return filepath.Join(c.dir, ".s.PGSQL.5432") }

// end ends the server by a signal: SIGQUIT leaves the files as a crash does.
func (c *Cluster) end(s syscall.Signal) {
	if c.server != nil && c.server.Process != nil {
		c.server.Process.Signal(s)
		<-c.exited
		c.server = nil
	}
}

// Crash ends the server without letting it finish anything.
func (c *Cluster) Crash() { c.end(syscall.SIGQUIT) }

// Restart starts a server that was ended.
func (c *Cluster) Restart() error { return c.start() }

func (c *Cluster) remove() {
	c.end(syscall.SIGQUIT)
	os.RemoveAll(c.dir)
}

// Exec runs statements as superuser.
func (c *Cluster) Exec(database, sql string) error {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, c.URL(database, Superuser))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	return err
}
