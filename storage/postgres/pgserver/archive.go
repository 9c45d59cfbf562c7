package pgserver

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Archiving are settings by which a server archives its log in its own directory.
var Archiving = []string{"archive_mode=on", "archive_command=mkdir -p ../archive && cp %p ../archive/%f"}

func (s *Server) archive() string { return filepath.Join(s.dir, "archive") }

// BaseBackup takes a base backup of a server with [Archiving]: as a server that does
// not run, for [Server.Recover]. The caller removes it.
func (s *Server) BaseBackup(parent string) (*Server, error) {
	copied := &Server{bin: s.bin, settings: s.settings}
	err := copied.makeDir(parent)
	if err == nil {
		from := fmt.Sprintf("host=%s user=%s", s.dir, Superuser)
		base := copied.Command("pg_basebackup", "-D", copied.data(), "-d", from, "-c", "fast", "-X", "none", "--no-sync")
		if out, failed := base.CombinedOutput(); failed != nil {
			err = fmt.Errorf("pgserver: pg_basebackup: %w\n%s", failed, out)
		}
	}
	if err != nil {
		copied.Remove()
		return nil, err
	}
	return copied, nil
}

// Archive ends the present file of the log, and waits until it is in the archive.
func (s *Server) Archive() error {
	var name string
	if err := s.Query("postgres", "select pg_walfile_name(pg_switch_wal())", &name); err != nil {
		return err
	}
	return s.await("select coalesce(last_archived_wal >= '" + name + "', false) from pg_stat_archiver")
}

// Recover starts a base backup, which replays the archive of the server that it was
// taken of up to a moment, and then takes writes.
func (s *Server) Recover(from *Server, until time.Time) error {
	signal := filepath.Join(s.data(), "recovery.signal")
	if err := os.WriteFile(signal, nil, 0o600); err != nil {
		return err
	}
	if err := s.as.own(signal); err != nil {
		return err
	}
	own := s.settings
	s.settings = append(append([]string{}, own...), "restore_command=cp "+from.archive()+"/%f %p",
		"recovery_target_time="+until.UTC().Format("2006-01-02 15:04:05.000000+00"), "recovery_target_action=promote")
	err := s.Restart()
	s.settings = own
	if err != nil {
		return err
	}
	return s.await("select not pg_is_in_recovery()")
}
