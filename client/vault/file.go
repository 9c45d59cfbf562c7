package vault

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// step is a moment at which a test can end the program.
type step int

const (
	stepWrite   step = iota // before the new file is written
	stepRename              // it is durable under its temporary name
	stepRenamed             // it has its name, which is not durable yet
	stepSaved               // all is durable
	stepRemove              // before a file is removed
	stepRemoved             // it is removed, which is not durable yet
	stepGone                // all is durable
)

// temporary is in the names of files that are being written.
const temporary = ".new"

// replace puts b at path: a crash leaves the old file or the new one. It reports
// whether the new one is there, which it may be after an error too.
func replace(path string, b []byte, at func(step) error) (there bool, err error) {
	if err := at(stepWrite); err != nil {
		return false, err
	}
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, filepath.Base(path)+temporary+"*")
	if err != nil {
		return false, err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = at(stepRename)
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return false, err
	}
	if err := at(stepRenamed); err != nil {
		return true, err
	}
	if err := syncDir(dir); err != nil {
		return true, err
	}
	return true, at(stepSaved)
}

// remove removes the file at path, if there is one, and reports whether it is
// gone.
func remove(path string, at func(step) error) (gone bool, err error) {
	if err := at(stepRemove); err != nil {
		return false, err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if err := at(stepRemoved); err != nil {
		return true, err
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return true, err
	}
	return true, at(stepGone)
}

// makeDir makes a directory that is there after a crash, if it is not there yet.
func makeDir(dir string) error {
	err := os.Mkdir(dir, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(dir))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
