package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/privacypass/issuer/host"
	"github.com/pseudods/pseudods/storage/backup"
	"github.com/pseudods/pseudods/storage/badger"
)

const (
	backupPath  = "/backup"
	maxBase     = 64 << 10
	backupPause = 30 * time.Second // that a reader of a backup may take between two pieces
)

var (
	// ErrNotRunning: no server answers where one should run.
	ErrNotRunning = errors.New("server: no server answers at its admin address")
	// ErrBackup: the running server refused or broke off a backup.
	ErrBackup = errors.New("server: no backup from the running server")
	// ErrRestored: the restored store has findings.
	ErrRestored = errors.New("server: the backup does not pass the check of the store")
)

// Backup writes a backup of the store to w: a full one, or what was written since
// base. A running server is asked for it; without one the store is opened. What is
// returned was verified as it was written.
func (s *Store) Backup(ctx context.Context, data daemon.Dir, w io.Writer, base *backup.Backup) (*backup.Backup, error) {
	if where, err := data.Running(); err == nil {
		b, err := s.fetchBackup(ctx, data, where, w, base)
		if !errors.Is(err, ErrNotRunning) {
			return b, err
		}
	}
	db, err := s.open()
	if err != nil {
		return nil, err
	}
	b, err := db.Backup(ctx, w, base)
	return b, errors.Join(err, db.Close())
}

// fetchBackup asks the running server. It fails with ErrNotRunning before anything
// is written.
func (s *Store) fetchBackup(ctx context.Context, data daemon.Dir, where daemon.Running, w io.Writer, base *backup.Backup) (*backup.Backup, error) {
	key, err := data.ReadSecret(daemon.AdminFile)
	if err != nil {
		return nil, err
	}
	var body []byte
	if base != nil {
		if body, err = json.Marshal(base); err != nil {
			return nil, err
		}
	}
	query := url.Values{"role": {string(s.Role)}, "store": {s.Name}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, where.Admin+backupPath+"?"+query.Encode(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	daemon.Authorize(req, key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, ErrNotRunning
	}
	defer res.Body.Close()
	switch res.StatusCode {
	case http.StatusOK:
	case http.StatusConflict:
		return nil, backup.ErrChain
	default:
		text, _ := io.ReadAll(io.LimitReader(res.Body, 256))
		return nil, fmt.Errorf("%w: status %d: %s", ErrBackup, res.StatusCode, strings.TrimSpace(string(text)))
	}
	b, err := backup.Verify(io.TeeReader(res.Body, w))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBackup, err)
	}
	return b, nil
}

// backup answers Store.Backup from the admin listener.
func (s *Server) backup(key secret.Bytes) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !daemon.Authorized(w, r, key) {
			return
		}
		take := s.backupOf(Role(r.URL.Query().Get("role")), r.URL.Query().Get("store"))
		if take == nil {
			http.Error(w, "no such store here", http.StatusNotFound)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBase))
		var base *backup.Backup
		if err == nil && len(body) > 0 {
			err = json.Unmarshal(body, &base)
		}
		if err != nil {
			http.Error(w, "unreadable", http.StatusBadRequest)
			return
		}
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(s.run, cancel)()
		out := &patient{w: w, rc: http.NewResponseController(w)}
		if _, err := take(ctx, out, base); err != nil {
			s.log.Error("backup failed", "error", err)
			switch {
			case out.began:
				panic(http.ErrAbortHandler) // the client sees that it is cut short
			case errors.Is(err, backup.ErrChain):
				http.Error(w, err.Error(), http.StatusConflict)
			default:
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		}
	}
}

type takeBackup = func(context.Context, io.Writer, *backup.Backup) (*backup.Backup, error)

// backupOf returns the method of an open embedded store, or nil.
func (s *Server) backupOf(r Role, name string) takeBackup {
	switch {
	case r == DS && s.ds != nil && s.ds.embedded != nil && name == groupsDir:
		return s.ds.embedded.Backup
	case r == DS && s.ds != nil && s.ds.embedded != nil && name == spentDir:
		return s.ds.redeemer.embedded.Backup
	case r == Moderation && s.moderation != nil && s.moderation.embedded != nil && name == reportsDir:
		return s.moderation.embedded.Backup
	case r == QS && s.qs != nil && s.qs.embedded != nil && name == queuesDir:
		return s.qs.embedded.Backup
	case r == QS && s.qs != nil && s.qs.embedded != nil && name == spentDir:
		return s.qs.redeemer.embedded.Backup
	case r == Issuer && s.issuer != nil && name == host.AllowancesDir:
		return s.issuer.Backup
	}
	return nil
}

// patient is a response that has as long as it takes, as long as its reader goes
// on.
type patient struct {
	w     http.ResponseWriter
	rc    *http.ResponseController
	began bool
}

func (p *patient) Write(b []byte) (int, error) {
	p.began = true
	_ = p.rc.SetWriteDeadline(time.Now().Add(backupPause))
	return p.w.Write(b)
}

// Restore puts the store back from a full backup and the increments that follow
// it, and checks the outcome before it appears. Its directory must be empty or not
// there. The next start takes it for an older copy: see docs/operations.md.
func (s *Store) Restore(ctx context.Context, fenceLost bool, report func(badger.Finding), chain ...io.Reader) (*backup.Backup, error) {
	key, err := readStorageKey(s.Key)
	if err != nil {
		return nil, err
	}
	return badger.Restore(ctx, badger.RestoreConfig{Dir: s.Dir, Format: s.Format, Key: key, FenceLost: fenceLost, Check: func(ctx context.Context, db *badger.DB) error {
		summary, err := s.Check(ctx, db, report)
		if err == nil && summary.Findings > 0 {
			err = ErrRestored
		}
		return err
	}}, chain...)
}
