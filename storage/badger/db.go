package badger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	engine "github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"github.com/pseudods/pseudods/internal/filelock"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/storage/fence"
)

// Config says how to open a database. Dir and Format must be set.
type Config struct {
	// Dir is the database's directory, created with mode 0700 if absent.
	Dir string
	// Format names what the database holds. An empty directory takes it; any
	// other must have been made with the same one, else [ErrFormat].
	Format Format
	// Key, of [KeySize] octets, encrypts the database at rest: tables, the engine's
	// logs and the journals. A new database takes it; any other must have been made
	// with it, else [ErrEncryption]. What stays in clear are sizes, times and numbers of
	// batches, the fence with its note, and backups. Without it nothing is encrypted.
	Key secret.Bytes
	// Fence is the path of the fence file, in a directory that exists and that
	// is not restored together with Dir. Empty means no fence; a database that
	// was once opened with a fence is refused without it.
	Fence string
	// OnRollback is called by Open when the database is older than its fence,
	// with the newest note (see [Tx.SetNote]) that the fence holds. What it
	// writes is durable before anything else is accepted. Open fails with its
	// error, or with [ErrRolledBack] if it is nil.
	OnRollback func(tx *Tx, note []byte) error
	// Moved says what to do with a database that was moved to another engine.
	Moved Moved
	// NeedsFence refuses a database that was restored without its fence, since
	// no other record of the store tells what happened after the copy was made.
	NeedsFence bool
	// ReadOnly opens a database that exists for reads and [DB.Inspect]. Nothing
	// is written but what the engine needs to make good a crash, and a fence
	// that does not fit is a finding of the inspection, not an error.
	ReadOnly bool
	// Queue is how many requests wait at most for the committer; further
	// callers of Submit block. Default 1024.
	Queue int
	// MinFree is the free space of the disk, in octets, below which writes are
	// off. They are on again at a quarter more. It must leave room for what
	// compaction needs at a time. Default 512 MiB.
	MinFree uint64
	// Free reports the free space at Dir. Default: what the file system
	// says an unprivileged user may still write.
	Free func(dir string) (uint64, error)
	// Journal is how many octets the journal takes before its records move into
	// the tables. More saves writing what is soon replaced or deleted, and takes
	// about four times as much memory under load. Default 32 MiB.
	Journal int
	// Fault, if set, is asked before each [Step]; an error is treated as a
	// failure of the disk at that point. For tests.
	Fault func(Step) error

	upgrades Upgrades // of Upgrade, which opens older versions
}

// Format names a kind of store and the version of its records.
type Format struct {
	// Name is 1 to 64 octets of ASCII, such as "spent-tokens".
	Name    string
	Version uint32
	// Large is for stores that write much at once: requests may have
	// [LargeRequest] octets. It is not recorded.
	Large bool
}

func (c *Config) validate() error {
	if c.Dir == "" {
		return errors.New("badger: no directory")
	}
	if c.Queue == 0 {
		c.Queue = 1024
	}
	if c.Queue < 0 {
		return errors.New("badger: negative queue length")
	}
	if c.Journal == 0 {
		c.Journal = 32 << 20
	}
	if c.Journal < 0 {
		return errors.New("badger: negative journal size")
	}
	if c.MinFree == 0 {
		c.MinFree = 512 << 20
	}
	if c.Free == nil {
		c.Free = freeSpace
	}
	if c.Fault == nil {
		c.Fault = func(Step) error { return nil }
	}
	return errors.Join(c.Format.validate(), checkEncryptionKey(c.Key))
}

// DB is an open database. Its methods may be called concurrently.
type DB struct {
	cfg    Config
	tables *tables
	layers layers
	fence  *fence.File // nil without one; the committer's after Open
	life   life
	found  uint32 // the version of the format, if it is to be upgraded

	// mu is held for reading while a request is put into queue, and for writing
	// to close it.
	mu     sync.RWMutex
	closed bool
	queue  chan *request
	done   chan struct{} // closed when the committer has ended

	// The committer's. The number of the next batch follows seq and floor.
	seq, floor uint64
	batch      *batch
	spareBatch *batch // whose memory the next one uses; may be nil
	lastBatch  uint64 // its number
	frame      []byte // reused
	writesOff  bool
	journal    *journal
	settling   chan error // nil, or gets one value when a layer has settled
	settlesAs  uint64     // the tables' version after that
	settleErr  error
	// used is the journal of the layer that is settling, spare the next one.
	// Whoever settles has them until it has ended.
	used, spare *journal

	failed               atomic.Bool
	off                  atomic.Bool
	batches, requestsRun atomic.Uint64
	closeOnce            sync.Once
	closeErr             error
}

// Open opens or creates the database.
func Open(cfg Config) (*DB, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if cfg.ReadOnly {
		if _, err := os.Stat(filepath.Join(cfg.Dir, engine.ManifestFilename)); err != nil {
			return nil, fmt.Errorf("badger: no database: %w", err)
		}
	} else if err := makeDir(cfg.Dir); err != nil {
		return nil, err
	}
	e, err := openEngine(cfg.Dir, cfg.Key)
	if err != nil && strings.Contains(err.Error(), lockText) {
		return nil, ErrInUse
	}
	if err != nil {
		return nil, fmt.Errorf("badger: opening the database: %w", err)
	}
	db := &DB{
		cfg:    cfg,
		tables: newTables(e),
		queue:  make(chan *request, cfg.Queue),
		done:   make(chan struct{}),
	}
	if err := db.begin(); err != nil {
		if db.fence != nil {
			db.fence.Close()
		}
		return nil, errors.Join(err, db.closeJournals(false), e.Close())
	}
	go db.serve()
	return db, nil
}

// lockText is in the text of the engine's error for a directory that another
// process has open. It is not wrapped.
const lockText = "Cannot acquire directory lock"

// openEngine opens the engine's files.
func openEngine(dir string, key secret.Bytes) (*engine.DB, error) {
	if err := dropEmptyLogs(dir); err != nil {
		return nil, err
	}
	e, err := engine.OpenManaged(encrypted(engineOptions(dir), key))
	return e, keyError(err)
}

// dropEmptyLogs removes what a crash between the making of a log and its first octet
// left. The engine would complete such a log and then fail all the same, with its
// other files open and mapped until the process ends.
func dropEmptyLogs(dir string) error {
	if empty, err := emptyLogs(dir); err != nil || len(empty) == 0 {
		return err
	}
	// What is empty without the lock may be another's that is about to be written.
	lock, err := filelock.TryDir(dir)
	if errors.Is(err, filelock.ErrLocked) {
		return nil // the engine says that it is in use
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	empty, err := emptyLogs(dir)
	for _, path := range empty {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

func emptyLogs(dir string) (paths []string, err error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if ext := filepath.Ext(f.Name()); ext != ".mem" && ext != ".vlog" {
			continue
		}
		if info, err := f.Info(); err == nil && info.Size() == 0 {
			paths = append(paths, filepath.Join(dir, f.Name()))
		}
	}
	return paths, nil
}

// begin checks format and fence, and moves into the tables what a crash left in
// journals, before the committer runs.
func (db *DB) begin() error {
	if err := db.checkFormat(); err != nil {
		return err
	}
	if err := db.recover(); err != nil {
		return err
	}
	if err := db.readLife(); err != nil || db.cfg.ReadOnly {
		return err
	}
	return db.checkFence()
}

// engineOptions trades memory for compaction work: tens of megabytes under load,
// where Badger's defaults take gigabytes. Values are sealed or pseudo-random and do not compress, and without
// compression the tables are read through the page cache, not a cache of ours.
func engineOptions(dir string) engine.Options {
	return engine.DefaultOptions(dir).
		WithLogger(nil). // its texts may quote keys
		WithMetricsEnabled(false).
		WithSyncWrites(true).
		WithDetectConflicts(false). // there is one writer
		WithMemTableSize(16 << 20).
		WithNumMemtables(2).
		WithNumCompactors(2).
		WithNumLevelZeroTables(5).
		WithNumLevelZeroTablesStall(12).
		WithBaseTableSize(4 << 20).
		WithBaseLevelSize(128 << 20). // fewer levels, each of which writes all again
		WithCompression(options.None).
		WithChecksumVerificationMode(options.OnBlockRead).
		WithBlockCacheSize(0).
		WithIndexCacheSize(32 << 20).
		WithValueLogFileSize(16 << 20)
}

// Close stops taking requests, lets those already submitted end, and closes the
// database. Further calls return what the first returned.
func (db *DB) Close() error {
	db.closeOnce.Do(func() {
		db.mu.Lock()
		db.closed = true
		close(db.queue)
		db.mu.Unlock()
		<-db.done
		// After a failure the journal alone tells what was answered.
		settled := false
		if !db.cfg.ReadOnly && !db.failed.Load() {
			db.closeErr = db.settleAll()
			settled = db.closeErr == nil
		}
		db.awaitSettled()
		db.closeErr = errors.Join(db.closeErr, db.closeJournals(settled), db.tables.engine.Close())
		if db.fence != nil {
			db.closeErr = errors.Join(db.closeErr, db.fence.Close())
		}
	})
	return db.closeErr
}

// Stats are counters since Open and the present state.
type Stats struct {
	Batches   uint64 // transactions written
	Requests  uint64 // requests that the committer ran
	WritesOff bool   // too little free space
	Failed    bool   // the database must be opened again
}

// Stats may be called at any time, also after Close.
func (db *DB) Stats() Stats {
	return Stats{
		Batches:   db.batches.Load(),
		Requests:  db.requestsRun.Load(),
		WritesOff: db.off.Load(),
		Failed:    db.failed.Load(),
	}
}

// makeDir creates dir and syncs its parent, so that a power failure cannot
// take the directory away from under durable records.
func makeDir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("badger: creating the directory: %w", err)
	}
	return syncDir(filepath.Dir(dir))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("badger: syncing a directory: %w", err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("badger: syncing a directory: %w", err)
	}
	return nil
}
