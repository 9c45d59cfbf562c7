package badger

import (
	"errors"
	"fmt"

	"github.com/pseudods/pseudods/storage/fence"
)

// The errors of this package. Except after [ErrAmbiguous], a request that got
// one of them has changed nothing.
var (
	// ErrNotFound: no record has this key.
	ErrNotFound = errors.New("badger: no such record")
	// ErrKey: an empty, overlong or reserved key.
	ErrKey = errors.New("badger: invalid key")
	// ErrTooLarge: a value over [MaxValue], or a request over [MaxRequest],
	// or [LargeRequest], or [MaxWrites].
	ErrTooLarge = errors.New("badger: request too large")
	// ErrNoSpace: the disk is so full that writes are turned off.
	ErrNoSpace = errors.New("badger: writes are off, too little free space")
	// ErrAmbiguous: the disk failed, and whether the write survives is open
	// until the database is opened again.
	ErrAmbiguous = errors.New("badger: outcome unknown")
	// ErrFailed: an earlier request met [ErrAmbiguous]; the database must be
	// opened again.
	ErrFailed = errors.New("badger: database failed earlier")
	// ErrClosed: the database is closed.
	ErrClosed = errors.New("badger: closed")
	// ErrReadOnly: the database was opened with [Config.ReadOnly].
	ErrReadOnly = errors.New("badger: opened for reading alone")
	// ErrDamaged: a table's checksum does not fit. Records in the damaged block
	// look as if they were not there.
	ErrDamaged = errors.New("badger: damaged table")
	// ErrUnclean: the database was not closed, and must be opened and closed
	// first.
	ErrUnclean = errors.New("badger: database was not closed")
	// ErrNotEmpty: a directory to restore into has something in it.
	ErrNotEmpty = errors.New("badger: directory is not empty")
	// ErrJournal: a batch that was answered is missing in a journal, or does not
	// decode.
	ErrJournal = errors.New("badger: damaged journal")
	// ErrFormat: the directory holds something else, or a version of the format
	// that this program does not know.
	ErrFormat = errors.New("badger: unknown store format")
	// ErrOutdated, an [ErrFormat]: the directory holds an older version of the format,
	// for [Upgrade].
	ErrOutdated = fmt.Errorf("%w: an older version", ErrFormat)
	// ErrEncryption: the database is encrypted with another key than the one given,
	// or is not and a key was given, or is and none was.
	ErrEncryption = errors.New("badger: not the database's key")
	// ErrFence: the fence is missing, damaged, or belongs to another database.
	ErrFence = fence.Err
	// ErrMoved: the database was moved to another engine, and must not be written to
	// here again by mistake.
	ErrMoved = errors.New("badger: database was moved to another engine")
	// ErrInUse: another process has the database open.
	ErrInUse = errors.New("badger: another process uses the database")
	// ErrRolledBack: the database is older than its fence.
	ErrRolledBack = errors.New("badger: database is older than its fence")
)
