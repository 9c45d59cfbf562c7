package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pseudods/pseudods/storage/fence"
)

//go:embed migrations
var migrationFiles embed.FS

// FenceSchema is what [OpenFence] needs in the database.
var FenceSchema = Schema{Name: "fence", Migrations: migrationFiles, Routing: Routing{
	Functions: map[string]Route{
		"look_at": ByPart(), "admit_at": ByPart(), "rolled_back_at": ByPart(), "advance_at": ByPart(),
		"look": Internal(), "admit": Internal(), "rolled_back": Internal(), "advance": Internal(), "hold": Internal(),
	},
	// The witnesses of a shard go on with its copy.
	Tables:  map[string]Placement{"witness": {Copied: true}, "lineage": {Copied: true}},
	Renewed: []string{"update fence.lineage set restores = 0"},
}}

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
	// together with the database. Each process has one of its own, and behind a router
	// one more for each further shard, with the shard's number after its name.
	Path string
	// Join says that this process is a new one beside those that use the database.
	// Without it a database that has been used is refused to a process without a
	// fence file: it may be a copy that was restored when all those were lost.
	Join bool
	// OnRollback closes what can no longer be judged, before anything else is done
	// with a database that is older than the fence. If it is nil such a database is
	// refused with [ErrRolledBack]. part is the number of the shard, note is what its
	// fence says; whole says that the database was not yet closed by another process that noticed.
	// It may be called again after a crash.
	OnRollback func(ctx context.Context, part int, note []byte, whole bool) error
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
//
// Behind a router each shard has a number of its own, as each can be put back
// alone.
type Fence struct{ witnesses []*witness }

// witness watches over one shard.
type witness struct {
	db       *DB
	part     int // the number of the shard
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
func OpenFence(ctx context.Context, db *DB, cfg FenceConfig) (_ *Fence, err error) {
	f := new(Fence)
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	fresh := make([]bool, db.Shards())
	for part := range db.Shards() { // all files before the first number moves
		path := cfg.path(part)
		file, err := fence.Open(path)
		if errors.Is(err, os.ErrNotExist) {
			file, fresh[part], err = newFence(ctx, db, cfg, part)
		}
		if err != nil {
			return nil, err
		}
		f.witnesses = append(f.witnesses, &witness{db: db, part: part, file: file, stop: func() {}})
	}
	for part, w := range f.witnesses {
		if err := w.begin(ctx, fresh[part], cfg.OnRollback); err != nil {
			return nil, err
		}
	}
	for _, w := range f.witnesses {
		beat, stop := context.WithCancel(context.WithoutCancel(ctx))
		w.stop = stop
		w.beating.Go(func() { w.beat(beat) })
	}
	return f, nil
}

func (c *FenceConfig) path(part int) string {
	if part == 0 {
		return c.Path
	}
	return fmt.Sprint(c.Path, ".", part)
}

// newFence makes a fence file for a process that has none. A shard that a split
// made knows the process by the one that it was a part of.
func newFence(ctx context.Context, db *DB, cfg FenceConfig, part int) (file *fence.File, fresh bool, err error) {
	if part > 0 {
		if file, err := inherit(ctx, db, cfg, part); file != nil || err != nil {
			return file, false, err
		}
	}
	v, err := db.look(ctx, part, [16]byte{})
	if err != nil {
		return nil, false, err
	}
	if v.others > 0 && !cfg.Join {
		return nil, false, fmt.Errorf("%w: missing, and the database has been used", ErrFence)
	}
	file, err = fence.Create(cfg.path(part))
	return file, true, err
}

// inherit makes a file of that of the shard which this one was a part of, if this one
// has all that the file counts.
func inherit(ctx context.Context, db *DB, cfg FenceConfig, part int) (*fence.File, error) {
	before, err := fence.Open(cfg.path(part &^ (1 << (bits.Len(uint(part)) - 1))))
	if err != nil {
		return nil, err // it was opened before
	}
	defer before.Close()
	v, err := db.look(ctx, part, before.ID)
	if err != nil || !v.known || v.number == nil || uint64(*v.number) < before.Seq {
		return nil, err
	}
	return fence.CreateFrom(cfg.path(part), fence.State{ID: before.ID, Seq: before.Seq, Note: before.Note})
}

// view is what the database knows of a witness.
type view struct {
	known    bool
	number   *int64
	others   int
	restores int
}

func (db *DB) look(ctx context.Context, part int, id [16]byte) (v view, err error) {
	err = db.Read(ctx, "select * from fence.look_at($1, $2)", []any{part, id[:]}, One(&v.known, &v.number, &v.others, &v.restores))
	return v, err
}

// begin compares the database with the file. A file of number 0 that the database
// does not know is a beginning cut short, or that of a database that is empty.
func (w *witness) begin(ctx context.Context, fresh bool, onRollback func(context.Context, int, []byte, bool) error) error {
	v, err := w.db.look(ctx, w.part, w.file.ID)
	if err != nil {
		return err
	}
	stopped := v.known && v.number == nil
	older := !v.known && w.file.Seq > 0 || v.known && v.number != nil && uint64(*v.number) < w.file.Seq
	if fresh && v.known {
		return fmt.Errorf("%w: number", ErrFence) // two random ids are equal
	}
	if older && onRollback == nil {
		return ErrRolledBack
	}
	if (older || stopped) && onRollback != nil {
		if err := onRollback(ctx, w.part, w.file.Note, older); err != nil {
			return err
		}
	}
	call, args := "select fence.admit_at($1, $2, $3)", []any{w.part, w.file.ID[:], int64(w.file.Seq)}
	if older {
		restores := max(v.restores, int(w.file.Restores)) + 1
		call, args = "select fence.rolled_back_at($1, $2, $3, $4)", append(args, restores)
	}
	if err := w.db.Write(ctx, call, args, One(&w.restores)); err != nil {
		return err
	}
	if v, err = w.db.look(ctx, w.part, w.file.ID); err != nil {
		return err
	}
	if v.number == nil {
		return ErrRolledBack // by another process, just now
	}
	w.file.Restores = uint32(w.restores)
	w.seen.Store(w.db.writes.Load())
	return w.file.Advance(uint64(*v.number))
}

// Restores is how often the database, or some shard of it, was replaced by an older
// copy of itself.
func (f *Fence) Restores() (n int) {
	for _, w := range f.witnesses {
		n += w.restores
	}
	return n
}

// Failed reports whether the fence takes no more.
func (f *Fence) Failed() bool {
	return slices.ContainsFunc(f.witnesses, func(w *witness) bool { return w.failed.Load() })
}

// Note returns the note that the file of a shard has.
func (f *Fence) Note(part int) []byte {
	w := f.witnesses[part]
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.file.Note
}

// Write calls the database with the witness and its next number, and hands that to
// fence.advance in the transaction of what it writes, or to fence.hold if that is
// nothing. It returns the number that the witness has in the database then.
type Write func(ctx context.Context, witness []byte, number int64) (at int64, err error)

// Do carries a write out. When it returns nil that is durable and watched over,
// and the note, unless it is nil, is the fence's: at most [fence.MaxNote] octets; with
// a note, write must advance. It writes to one shard. Calls for it wait for each
// other: put many things into one.
func (f *Fence) Do(ctx context.Context, part int, note []byte, write Write) error {
	return f.witnesses[part].do(ctx, note, write)
}

func (w *witness) do(ctx context.Context, note []byte, write Write) error {
	if len(note) > fence.MaxNote {
		return fence.ErrNote
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed.Load() {
		return ErrRolledBack
	}
	number, before := w.file.Seq+1, w.db.writes.Load()
	at, err := write(ctx, w.file.ID[:], int64(number))
	if Code(err) == codeRolledBack {
		w.failed.Store(true)
		return fmt.Errorf("%w: %w", ErrRolledBack, err)
	}
	if err != nil {
		return err
	}
	if uint64(at) != number {
		return nil
	}
	w.seen.Store(before + 1) // what others wrote meanwhile may have come after the number
	if note != nil {
		w.file.Note = note
	}
	if err := w.file.Advance(number); err != nil {
		w.failed.Store(true) // what is in the file is not known now
		return fmt.Errorf("%w: fence: %w", ErrAmbiguous, err)
	}
	return nil
}

// Step returns what [Fence.Do] is given when there is nothing to write.
func (f *Fence) Step(part int) Write { return f.witnesses[part].step }

func (w *witness) step(ctx context.Context, witness []byte, number int64) (at int64, err error) {
	err = w.db.Write(ctx, "select fence.advance_at($1, $2, $3)", []any{w.part, witness, number}, One(&at))
	return at, err
}

func (w *witness) beat(ctx context.Context) {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if w.seen.Load() != w.db.writes.Load() && !w.failed.Load() {
			// What fails is noted by Do, or tried again.
			_ = w.do(ctx, nil, w.step)
		}
	}
}

// Close ends the use of the fence.
func (f *Fence) Close() (err error) {
	for _, w := range f.witnesses {
		w.stop()
		w.beating.Wait()
		err = errors.Join(err, w.file.Close())
	}
	return err
}
