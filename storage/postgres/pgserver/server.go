package pgserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// Superuser is the name of each server's superuser.
const Superuser = "root"

// ErrMissing: there are no binaries.
var ErrMissing = errors.New("pgserver: no PostgreSQL server is installed (apt-get install postgresql)")

// Server is a server, which runs unless it was ended. It is not safe for concurrent
// use, but for URL, Socket, Exec and Processor.
type Server struct {
	bin, dir string
	as       *account
	server   *exec.Cmd
	exited   chan error
	settings []string
}

// Bin returns the directory of the newest binaries, or [ErrMissing].
func Bin() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	slices.SortFunc(found, func(a, b string) int { return release(a) - release(b) })
	if len(found) == 0 {
		return "", ErrMissing
	}
	return filepath.Dir(found[len(found)-1]), nil
}

func release(path string) int {
	n, _ := strconv.Atoi(strings.Split(path, "/")[4])
	return n
}

// Start makes a cluster in a new directory in parent and starts a server on it, with
// settings "name=value" on top of this package's few. An empty parent is the
// directory for temporary files. The caller removes the server.
func Start(parent string, settings ...string) (*Server, error) {
	bin, err := Bin()
	if err != nil {
		return nil, err
	}
	s := &Server{bin: bin, settings: settings}
	err = s.makeDir(parent)
	if err == nil {
		err = s.create()
	}
	if err != nil {
		s.Remove()
		return nil, err
	}
	return s, nil
}

// makeDir makes the server's directory, of the account it runs as.
func (s *Server) makeDir(parent string) (err error) {
	if s.as, err = lookup(); err != nil {
		return err
	}
	if s.dir, err = os.MkdirTemp(parent, "pgserver"); err != nil {
		return err
	}
	return s.as.own(s.dir)
}

func (s *Server) create() error {
	initdb := s.Command("initdb", "-D", s.data(), "-U", Superuser, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions")
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("pgserver: initdb: %w\n%s", err, out)
	}
	return s.Restart()
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// Command prepares one of the programs of the server's release, such as pg_dump, in
// the server's directory and as its account.
func (s *Server) Command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir = s.dir
	s.as.run(cmd)
	return cmd
}

// Restart starts a server that was ended.
func (s *Server) Restart() error {
	args := []string{"-D", s.data(), "-k", s.dir, "-h", "", "-c", "max_connections=200", "-c", "shared_buffers=128MB", "-c", "log_min_messages=fatal"}
	if runtime.GOOS == "linux" {
		// After a crash each file is synced, one by one if not by syncfs: with a
		// hundred databases of tests that takes longer than anybody waits. Other
		// systems do not have it, and a server there refuses the setting.
		args = append(args, "-c", "recovery_init_sync_method=syncfs")
	}
	for _, setting := range s.settings {
		args = append(args, "-c", setting)
	}
	s.server = s.Command("postgres", args...)
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	s.server.Stdout, s.server.Stderr = log, log
	endWithParent(s.server)
	started := make(chan error)
	s.exited = make(chan error, 1)
	go func() {
		runtime.LockOSThread() // see endWithParent
		err := s.server.Start()
		if started <- err; err == nil {
			s.exited <- s.server.Wait()
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	deadline := time.Now().Add(2 * time.Minute)
	for {
		conn, err := pgx.Connect(context.Background(), s.URL("postgres", Superuser))
		if err == nil {
			return conn.Close(context.Background())
		}
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			return fmt.Errorf("pgserver: the server does not start: %w\n%s", err, log)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// URL is a connection string.
func (s *Server) URL(database, login string) string {
	return fmt.Sprintf("postgres://%s@/%s?host=%s", login, database, s.dir)
}

// Dir is the directory of the server's socket, and of all it has.
func (s *Server) Dir() string { return s.dir }

// Socket is the path of the server's socket.
func (s *Server) Socket() string { return filepath.Join(s.dir, ".s.PGSQL.5432") }

// Running reports whether the server was not ended.
func (s *Server) Running() bool { return s.server != nil }

// end ends the server by a signal: SIGQUIT leaves the files as a crash does.
func (s *Server) end(signal syscall.Signal) {
	if s.server != nil && s.server.Process != nil {
		s.server.Process.Signal(signal)
		<-s.exited
	}
	s.server = nil
}

// Crash ends the server without letting it finish anything. What was written stays
// in the system's cache: it is no loss of power.
func (s *Server) Crash() { s.end(syscall.SIGQUIT) }

// Stop ends the server in good order.
func (s *Server) Stop() { s.end(syscall.SIGINT) }

// Remove ends the server and deletes all it has.
func (s *Server) Remove() error {
	s.end(syscall.SIGQUIT)
	if s.dir == "" {
		return nil
	}
	return os.RemoveAll(s.dir)
}

// Exec runs statements as superuser.
func (s *Server) Exec(database, sql string) error {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, s.URL(database, Superuser))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	return err
}

// Query reads the one row of a query as superuser.
func (s *Server) Query(database, sql string, into ...any) error {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, s.URL(database, Superuser))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	return conn.QueryRow(ctx, sql).Scan(into...)
}
