package addresskeys

import (
	"encoding/pem"
	"errors"
	"fmt"
	"os"
)

func (r *Ring) checkMode(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%w: %s has mode %04o", ErrMode, path, info.Mode().Perm())
	}
	return nil
}

// read reads one small PEM file.
func (r *Ring) read(name, kind string) (content []byte, headers map[string]string, err error) {
	path := r.path(name)
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, nil, fmt.Errorf("%w: %s", ErrFile, name)
	}
	if err := r.checkMode(path); err != nil {
		return nil, nil, err
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	defer clear(b)
	if content, headers, err = parsePEM(b, kind); err != nil {
		return nil, nil, fmt.Errorf("%w: %s", err, name)
	}
	return content, headers, nil
}

// write makes a file: whole under a temporary name, synced, renamed, and the
// directory synced. A crash leaves the file, or at most a temporary one.
func (r *Ring) write(name string, block *pem.Block) error {
	f, err := os.CreateTemp(r.config.Dir, temporary) // mode 0600
	if err != nil {
		return err
	}
	err = pem.Encode(f, block)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), r.path(name))
	}
	if err != nil {
		os.Remove(f.Name())
		return err
	}
	return r.sync()
}

// remove deletes a key's file. What the disk keeps of deleted files is beyond
// this program.
func (r *Ring) remove(k *key) error {
	return errors.Join(os.Remove(r.path(fileName(k))), r.sync())
}

func (r *Ring) sync() error {
	d, err := os.Open(r.config.Dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
