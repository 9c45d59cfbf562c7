package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pseudods/pseudods/storage/fence"
)

//go:embed migrations
var migrationFiles embed.FS

func subdirectory(f fs.FS, err error) fs.FS {
	if err != nil {
		panic(err)
	}
	return f
}

// FenceSchema is what [OpenFence] needs in the database.
var FenceSchema = Schema{Name: "fence", Migrations: subdirectory(fs.Sub(migrationFiles, "migrations"))}

var (
	// ErrFence: the fence is missing, damaged, or belongs to another database.
	ErrFence = fence.Err
	// ErrRolledBack: the database is an older copy of itself, or another process
	// found that it is. The process must be started again.
	ErrRolledBack = errors.New("postgres: database was replaced by an older copy")
)

// codeRolledBack is the SQLSTATE by which fence.advance fails.
const codeRolledBack = "PF001"

// FenceConfig says where a process keeps its fence.
type FenceConfig struct {
	// Path is the fence file: in a directory that exists, and that is not restored
	// together with the database. Each process has one of its own.
	Path string
	// Join says that this process is a new one beside those that use the database.
	// Without it a database that has been used is refused to a process without a
	// fence file: it may be a copy that was restored when all those were lost.
	Join bool
	// OnRollback closes what can no longer be judged, before anything else is done
	// with a database that is older than the fence. If it is nil such a database is
	// refused with [ErrRolledBack]. note is what the fence says; whole
	// says that the database was not yet closed by another process that noticed.
	// It may be called again after a crash.
	OnRollback func(ctx context.Context, note []byte, whole bool) error
}

// Fence is how a process knows that the database still has all that it was told
// was durable. The process is a witness: it has a number in the database, which
// grows in the same transactions as what it must not forget, and in a file of its
// own, which is synced before anybody hears of the outcome. A database with a lower
// number is an older copy: restored, or a standby that was promoted without the last
// commits.
//
// A restart finds that, and so do the next numbers of a process that goes on: the
// database refuses those that do not follow. The first process that finds it stops
// all others, until they are started again. What it cannot find is that a copy lacks
// only what other processes did: they find it when they start.
type Fence struct {
	db       *DB
	file     *fence.File
	restores int
	failed   atomic.Bool
	stop     context.CancelFunc
	beating  sync.WaitGroup

	// seen is how many writes the database had when the last number was taken.
	seen atomic.Int64

	// mu is held while a number is on its way, and guards file.
	mu sync.Mutex
}

// beatEvery is how often the next number is taken for what was written without
// one, so that it is watched over too.
const beatEvery = time.Second

// OpenFence opens the fence of a database that has [FenceSchema], and makes one in
// a new database.
func OpenFence(ctx context.Context, db *DB, cfg FenceConfig) (*Fence, error) {
	file, err := fence.Open(cfg.Path)
	fresh := errors.Is(err, os.ErrNotExist)
	if fresh {
		file, err = newFence(ctx, db, cfg)
	}
	if err != nil {
		return nil, err
	}
	f := &Fence{db: db, file: file}
	if err := f.begin(ctx, fresh, cfg.OnRollback); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	beat, stop := context.WithCancel(context.WithoutCancel(ctx))
	f.stop = stop
	f.beating.Go(func() { f.beat(beat) })
	return f, nil
}

// newFence makes a fence file for a process that has none.
func newFence(ctx context.Context, db *DB, cfg FenceConfig) (*fence.File, error) {
	v, err := db.look(ctx, [16]byte{})
	if err != nil {
		return nil, err
	}
	if v.others > 0 && !cfg.Join {
		return nil, fmt.Errorf("%w: missing, and the database has been used", ErrFence)
	}
	return fence.Create(cfg.Path)
}

// view is what the database knows of a witness.
type view struct {
	known    bool
	number   *int64
	others   int
	restores int
}

func (db *DB) look(ctx context.Context, id [16]byte) (v view, err error) {
	err = db.Read(ctx, "select * from fence.look($1)", []any{id[:]}, One(&v.known, &v.number, &v.others, &v.restores))
	return v, err
}

// begin compares the database with the file. A file of number 0 that the database
// does not know is a beginning cut short, or that of a database that is empty.
func (f *Fence) begin(ctx context.Context, fresh bool, onRollback func(context.Context, []byte, bool) error) error {
	v, err := f.db.look(ctx, f.file.ID)
	if err != nil {
		return err
	}
	stopped := v.known && v.number == nil
	older := !v.known && f.file.Seq > 0 || v.known && v.number != nil && uint64(*v.number) < f.file.Seq
	if fresh && v.known {
		return fmt.Errorf("%w: number", ErrFence) // two random ids are equal
	}
	if older && onRollback == nil {
		return ErrRolledBack
	}
	if (older || stopped) && onRollback != nil {
		if err := onRollback(ctx, f.file.Note, older); err != nil {
			return err
		}
	}
	call, args := "select fence.admit($1, $2)", []any{f.file.ID[:], int64(f.file.Seq)}
	if older {
		restores := max(v.restores, int(f.file.Restores)) + 1
		call, args = "select fence.rolled_back($1, $2, $3)", append(args, restores)
	}
	if err := f.db.Write(ctx, call, args, One(&f.restores)); err != nil {
		return err
	}
	if v, err = f.db.look(ctx, f.file.ID); err != nil {
		return err
	}
	if v.number == nil {
		return ErrRolledBack // by another process, just now
	}
	f.file.Restores = uint32(f.restores)
	f.seen.Store(f.db.writes.Load())
	return f.file.Advance(uint64(*v.number))
}

// Restores is how often the database was replaced by an older copy of itself.
func (f *Fence) Restores() int { return f.restores }

// Failed reports whether the fence takes no more.
func (f *Fence) Failed() bool { return f.failed.Load() }

// Note returns the note that the file has.
func (f *Fence) Note() []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.file.Note
}

// Write calls the database with the witness and its next number, and hands that to
// fence.advance in the transaction of what it writes, or to fence.hold if that is
// nothing. It returns the number that the witness has in the database then.
type Write func(ctx context.Context, witness []byte, number int64) (at int64, err error)

// Do carries a write out. When it returns nil that is durable and watched over,
// and the note, unless it is nil, is the fence's: at most [fence.MaxNote] octets; with
// a note, write must advance. Calls wait for each other: put many things into one.
func (f *Fence) Do(ctx context.Context, note []byte, write Write) error {
	if len(note) > fence.MaxNote {
		return fence.ErrNote
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failed.Load() {
		return ErrRolledBack
	}
	number := f.file.Seq + 1
	at, err := write(ctx, f.file.ID[:], int64(number))
	if Code(err) == codeRolledBack {
		f.failed.Store(true)
		return fmt.Errorf("%w: %w", ErrRolledBack, err)
	}
	if err != nil {
		return err
	}
	f.seen.Store(f.db.writes.Load())
	if uint64(at) != number {
		return nil
	}
	if note != nil {
		f.file.Note = note
	}
	if err := f.file.Advance(number); err != nil {
		f.failed.Store(true) // what is in the file is not known now
		return fmt.Errorf("%w: fence: %w", ErrAmbiguous, err)
	}
	return nil
}

// Step is what [Fence.Do] is given when there is nothing to write.
func (f *Fence) Step(ctx context.Context, witness []byte, number int64) (at int64, err error) {
	err = f.db.Write(ctx, "select fence.advance($1, $2)", []any{witness, number}, One(&at))
	return at, err
}

func (f *Fence) beat(ctx context.Context) {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if f.seen.Load() != f.db.writes.Load() && !f.failed.Load() {
			// What fails is noted by Do, or tried again.
			_ = f.Do(ctx, nil, f.Step)
		}
	}
}

// Close ends the use of the fence.
func (f *Fence) Close() error {
	f.stop()
	f.beating.Wait()
	return f.file.Close()
}
