package storagetest

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// CopyLive copies the flat directory of an open database, as a kill would leave
// it, and leaves holes where files have zeros: most of an engine's files are
// mapped larger than what is in them. If files are replaced meanwhile the copy is
// none that a crash could leave, and is made again.
func CopyLive(from, to string) error {
	for range 100 {
		err := errors.Join(os.RemoveAll(to), os.Mkdir(to, 0o700))
		if err != nil {
			return err
		}
		files, err := os.ReadDir(from)
		if err != nil {
			return err
		}
		byRank := slices.Clone(files)
		slices.SortStableFunc(byRank, func(a, b fs.DirEntry) int { return rank(a) - rank(b) })
		for _, f := range byRank {
			if err = copySparse(filepath.Join(from, f.Name()), filepath.Join(to, f.Name())); err != nil {
				break
			}
		}
		after, listErr := os.ReadDir(from)
		if listErr != nil {
			return listErr
		}
		if err == nil && names(files) == names(after) {
			return nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return errors.New("the directory does not come to rest")
}

// rank puts what names other files before them. A table is whole when the engine's
// manifest names it, and may not be yet when it is copied before the manifest.
func rank(f fs.DirEntry) int {
	if f.Name() == "MANIFEST" {
		return 0
	}
	return 1
}

func names(files []fs.DirEntry) (all string) {
	for _, f := range files {
		all += f.Name() + "\n"
	}
	return all
}

func copySparse(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	var at int64
	block, zeros := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, err := io.ReadFull(in, block)
		if n > 0 && string(block[:n]) != string(zeros[:n]) {
			if _, err := out.WriteAt(block[:n], at); err != nil {
				return err
			}
		}
		at += int64(n)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return out.Truncate(at)
		}
		if err != nil {
			return err
		}
	}
}
