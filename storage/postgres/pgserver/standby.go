package pgserver

import (
	"errors"
	"fmt"
	"time"
)

// Standby starts a server that streams from this one, under that name, and waits
// until it does. The caller removes it.
func (s *Server) Standby(parent, name string) (*Server, error) {
	standby := &Server{bin: s.bin, settings: s.settings}
	err := standby.makeDir(parent)
	if err == nil {
		err = standby.follow(s, name)
	}
	if err == nil {
		err = s.await("select count(*) = 1 from pg_stat_replication where state = 'streaming' and application_name = '" + name + "'")
	}
	if err != nil {
		standby.Remove()
		return nil, err
	}
	return standby, nil
}

func (s *Server) follow(primary *Server, name string) error {
	from := fmt.Sprintf("host=%s user=%s application_name=%s", primary.dir, Superuser, name)
	base := s.Command("pg_basebackup", "-D", s.data(), "-d", from, "-R", "-c", "fast", "--no-sync")
	if out, err := base.CombinedOutput(); err != nil {
		return fmt.Errorf("pgserver: pg_basebackup: %w\n%s", err, out)
	}
	return s.Restart()
}

// Promote makes a standby a server of its own.
func (s *Server) Promote() error {
	if err := s.Exec("postgres", "select pg_promote()"); err != nil {
		return err
	}
	return s.await("select not pg_is_in_recovery()")
}

// Configure changes a setting of the running server, and waits until it holds.
func (s *Server) Configure(setting, value string) error {
	if err := s.Exec("postgres", fmt.Sprintf("alter system set %s = '%s'", setting, value)); err != nil {
		return err
	}
	if err := s.Exec("postgres", "select pg_reload_conf()"); err != nil {
		return err
	}
	// The kinds of standbys follow within a moment.
	return s.await(fmt.Sprintf("select current_setting('%s') = '%s' and not exists (select from pg_stat_replication where (sync_state = 'async') = (application_name <> '' and '%s' ~ application_name))", setting, value, value))
}

// await waits for a query to give true.
func (s *Server) await(query string) error {
	for range 500 {
		var ok bool
		if err := s.Query("postgres", query, &ok); err != nil || ok {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
	return errors.New("pgserver: waited too long")
}
