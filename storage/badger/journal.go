package badger

import (
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/pseudods/pseudods/internal/secret"
)

// journal is one file of batches, open for appending. The next one is prepared
// while it fills, out of the blocks of the one before, so that its blocks have
// been written before and a sync has no more to do than write them again.
type journal struct {
	file   *os.File
	number uint64
	id     journalID
	aead   cipher.AEAD // nil if it is not encrypted
	end    int64       // of the last frame, in whole blocks
	size   int64       // of what was written of the file
}

const journalSuffix = ".journal"

func journalPath(dir string, number uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%08d%s", number, journalSuffix))
}

// journalNumbers lists the journals in a directory, ascending.
func journalNumbers(dir string) ([]uint64, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []uint64
	for _, f := range files {
		name, ok := strings.CutSuffix(f.Name(), journalSuffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(name, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%w: name of a journal", ErrFormat)
		}
		out = append(out, n)
	}
	slices.Sort(out)
	return out, nil
}

// Journals grow by so much at a time.
const (
	firstGrowth = 256 << 10
	maxGrowth   = 4 << 20
)

// newJournal makes an empty journal of a number that no other has, out of spare
// if that is not nil: a journal that is no longer needed, and of which at most
// keep octets are kept.
func newJournal(dir string, key secret.Bytes, number uint64, spare *journal, keep int64) (j *journal, err error) {
	j = &journal{number: number}
	path := journalPath(dir, number)
	if spare != nil {
		j.file, j.size = spare.file, min(spare.size, max(keep, journalBlock))
		err = j.reuse(journalPath(dir, spare.number), path)
	} else {
		j.file, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	}
	if err == nil {
		rand.Read(j.id[:])
		j.aead = journalCipher(key, j.id)
		j.end, j.size = journalBlock, max(j.size, journalBlock)
		_, err = j.file.WriteAt(marshalJournal(j.id), 0)
	}
	if err == nil {
		err = j.file.Sync()
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		if j.file != nil {
			j.file.Close()
		}
		return nil, fmt.Errorf("badger: making a journal: %w", err)
	}
	return j, nil
}

// reuse overwrites what the file has with zeros, so that nothing of it can be
// read for longer than it is needed, and renames it.
func (j *journal) reuse(from, to string) error {
	if err := j.file.Truncate(j.size); err != nil {
		return err
	}
	if err := j.zero(0, j.size); err != nil {
		return err
	}
	return os.Rename(from, to)
}

var zeros [256 << 10]byte

func (j *journal) zero(from, to int64) error {
	for from < to {
		n := min(to-from, int64(len(zeros)))
		if _, err := j.file.WriteAt(zeros[:n], from); err != nil {
			return err
		}
		from += n
	}
	return nil
}

// append makes a frame durable, which has room for its header in front.
func (j *journal) append(frame []byte, before, seq uint64) error {
	frame = encryptFrame(j.aead, frame, before, seq)
	sealFrame(frame, j.id, before, seq)
	frame = append(frame, zeros[:blocks(len(frame))-len(frame)]...)
	next := j.end + int64(len(frame))
	if next > j.size {
		// Blocks that were never written cost a sync of the file system's own
		// records, so there are many at a time.
		size := next + min(max(j.size, firstGrowth), maxGrowth)
		if err := j.zero(next, size); err != nil {
			return err
		}
		if _, err := j.file.WriteAt(frame, j.end); err != nil {
			return err
		}
		j.end, j.size = next, size
		return j.file.Sync()
	}
	if _, err := j.file.WriteAt(frame, j.end); err != nil {
		return err
	}
	j.end = next
	return syncData(j.file)
}

// closeJournals closes the files, and deletes them if the tables have all.
func (db *DB) closeJournals(remove bool) (err error) {
	for _, j := range []*journal{db.used, db.journal, db.spare} {
		if j == nil {
			continue
		}
		err = errors.Join(err, j.file.Close())
		if remove {
			err = errors.Join(err, os.Remove(journalPath(db.cfg.Dir, j.number)))
		}
	}
	return err
}
