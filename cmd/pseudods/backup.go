package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/pseudods/server"
	"github.com/pseudods/pseudods/storage/backup"
	"github.com/pseudods/pseudods/storage/badger"
)

// Backups of a store are files that are numbered in order. A full one begins a
// chain, and each increment follows the file before it.
const backupName = "%s-%s-%06d-%s.backup"

var backupPattern = regexp.MustCompile(`-[0-9]{6}-(full|next)\.backup$`)

// backups lists the files of a store in a directory, in order.
func backups(dir string, s *server.Store) (files []string, err error) {
	all, err := filepath.Glob(filepath.Join(dir, fmt.Sprintf("%s-%s-*.backup", s.Role, s.Name)))
	for _, f := range all {
		if backupPattern.MatchString(f) {
			files = append(files, f)
		}
	}
	slices.Sort(files)
	return files, err
}

func isFull(file string) bool { return backupPattern.FindStringSubmatch(file)[1] == "full" }

// takeBackups writes a file for each store into a directory: what was written
// since the last file there, or everything. A server may be running.
func takeBackups(args []string, stdout, stderr io.Writer) error {
	f := newFlags("backup", stderr).withConfig()
	full := f.Bool("full", false, "begin a new chain of backups")
	c, stores, err := f.stores(args, 1)
	if err != nil {
		return err
	}
	if _, err := daemon.OpenDir(f.Arg(0)); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var failures error
	for _, s := range stores {
		file, b, err := takeBackup(ctx, c, &s, f.Arg(0), *full)
		if err != nil {
			failures = errors.Join(failures, fmt.Errorf("%s %s: %w", s.Role, s.Name, err))
			continue
		}
		fmt.Fprintf(stdout, "%s: %d records, %d kept, %d octets\n", file, b.Records, b.Kept, b.Octets)
	}
	return errors.Join(failures, elsewhere(c, stdout, "backed up"))
}

func takeBackup(ctx context.Context, c server.Config, s *server.Store, dir string, full bool) (file string, b *backup.Backup, err error) {
	files, err := backups(dir, s)
	if err != nil {
		return "", nil, err
	}
	var base *backup.Backup
	if n := len(files); n > 0 && !full {
		if base, err = verify(files[n-1]); err != nil {
			return "", nil, fmt.Errorf("%s: %w: begin a new chain with -full", files[n-1], err)
		}
	}
	kind := "next"
	if base == nil {
		kind = "full"
	}
	file = filepath.Join(dir, fmt.Sprintf(backupName, s.Role, s.Name, len(files)+1, kind))
	data, err := c.DataDir()
	if err != nil {
		return "", nil, err
	}
	err = backup.WriteFile(file, func(w io.Writer) (err error) {
		b, err = s.Backup(ctx, data, w, base)
		return err
	})
	if errors.Is(err, backup.ErrChain) && base != nil { // it was restored since
		return takeBackup(ctx, c, s, dir, true)
	}
	return file, b, err
}

func verify(file string) (*backup.Backup, error) {
	r, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return backup.Verify(r)
}

// restore puts the stores back from the last chain of backups in a directory. What
// is in the place of a store is not touched: move it away before.
func restore(args []string, stdout, stderr io.Writer) error {
	f := newFlags("restore", stderr).withConfig()
	fenceLost := f.Bool("fence-lost", false, "the fences are lost too; spent tokens are not restored")
	c, stores, err := f.stores(args, 1)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var failures error
	for _, s := range stores {
		if *fenceLost && s.NeedsFence() {
			fmt.Fprintf(stdout, "%s %s: not restored without its fence\n", s.Role, s.Name)
			continue
		}
		b, n, err := restoreStore(ctx, &s, f.Arg(0), *fenceLost, stderr)
		if err != nil {
			failures = errors.Join(failures, fmt.Errorf("%s %s: %w", s.Role, s.Name, err))
			continue
		}
		fmt.Fprintf(stdout, "%s %s: %d records from %d files\n", s.Role, s.Name, b.Records+b.Kept, n)
	}
	failures = errors.Join(failures, elsewhere(c, stdout, "restored"))
	if failures == nil && len(stores) > 0 {
		fmt.Fprintln(stdout, "Before the next start: pseudods keys rotate -compromised issuer, since tokens may have been spent after the backup.")
	}
	return failures
}

func restoreStore(ctx context.Context, s *server.Store, dir string, fenceLost bool, stderr io.Writer) (*backup.Backup, int, error) {
	files, err := backups(dir, s)
	if err != nil {
		return nil, 0, err
	}
	first := len(files) - 1
	for first >= 0 && !isFull(files[first]) {
		first--
	}
	if first < 0 {
		return nil, 0, errors.New("there is no full backup")
	}
	var chain []io.Reader
	for _, name := range files[first:] {
		r, err := os.Open(name)
		if err != nil {
			return nil, 0, err
		}
		defer r.Close()
		chain = append(chain, r)
	}
	if err := daemon.MakeParent(s.Dir); err != nil {
		return nil, 0, err
	}
	b, err := s.Restore(ctx, fenceLost, func(f badger.Finding) { report(stderr, s, f) }, chain...)
	return b, len(chain), err
}
