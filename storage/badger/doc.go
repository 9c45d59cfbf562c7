// Package badger is the embedded storage kernel: Badger v4 behind one committer
// per database. Drivers in its subdirectories implement the store interfaces of
// the roles on it; nothing of Badger itself leaves this package.
//
// # Use
//
// [Open] a [DB], read with [DB.Get] and [DB.Scan], and change it with
// [DB.Submit]: a function that reads what its preconditions need and puts or
// deletes records. Submitted functions run one after the other on the
// committer's goroutine, each seeing what the ones before it wrote, so that a
// precondition needs no lock and never fails on a conflict. The committer writes
// what it has gathered as one synced transaction and answers nobody before that
// is durable: also a refusal may rest on a write that is not yet safe.
//
// Many requests share one sync, so throughput grows with concurrency.
//
// # Journal
//
// A batch is durable once it is in the journal, a file of the kernel's own beside
// Badger's: one write and one sync of blocks that were written before. Its records
// are then kept in memory until the journal is full or some seconds have passed,
// and only then move into Badger's tables, in the order of their keys. What is
// replaced or deleted before that, as counters, messages on their way and entries
// that are read at once, never gets there. [Tx.Extend] lets a driver gather small
// things into one record while it is in memory.
//
// A crash leaves one or two journals, which Open reads. Frames carry checksums
// and name the frame before: only the last one, whose writer was not answered,
// may be cut short; a damaged one before it is [ErrJournal]. A used journal is
// overwritten with zeros and used again. Badger's versions tell in which half
// minute a record moved, and not which ones were written together; the journal
// tells that until it is overwritten. Within a batch it is in the order of the keys:
// which records of it one request wrote is not told. [Dissect] gives what is told.
//
// # Outcomes
//
// Submit returns nil (durable), the function's own error (durable state was
// looked at, nothing of this request was written), the context's error or one of
// [ErrClosed], [ErrFailed], [ErrNoSpace], [ErrTooLarge], [ErrKey] (nothing was
// written), or [ErrAmbiguous]: the disk failed at a moment that leaves open
// whether the write survives. A cancelled context never hides an outcome: a
// request that the committer has taken is answered with what became of it.
//
// After ErrAmbiguous the database takes no more writes until it is opened
// again, because a failed fsync says nothing about what later ones do.
//
// # Keys
//
// A key is 1 to [MaxKey] octets. Keys that begin with octet 0x00 or with
// "!badger!" are the kernel's. Put what is dropped as a whole behind one prefix
// and remove it with [DB.DropPrefix]: deleted records cost reads until they are
// compacted, so a scan should start at a floor the driver remembers.
//
// # Older copies
//
// With [Config.Fence] the kernel keeps a counter of its batches in a small file
// outside the database, synced after each batch and before its answers. A
// database that has fewer batches than its fence has lost acknowledged writes:
// it was restored from a copy, or the disk lied. Open then calls
// [Config.OnRollback], which must make the store refuse what it can no longer
// judge, and counts that in [DB.Restores]. Whoever rolls back database and fence together, such as by a snapshot
// of the whole machine, is not noticed.
//
// # Checking
//
// Each driver has a function Check that goes over a whole database in bounded
// memory and reports what cannot be right, by [DB.Inspect]. Open the database
// with [Config.ReadOnly], the driver's format and the fence; the store that a
// crash left may be checked as it is. A check needs no keys, and its findings
// name no record. It also finds what the engine does not tell: records in a
// damaged block of a table look as if they were not there.
//
// # Backups
//
// [DB.Backup] writes a full backup or an increment of a database in use, in the
// format of package backup, and [Restore] puts a database back from them, into a
// directory of its own. A restored database is an older copy, see above; package
// backup has a function that writes a file as a whole or not at all:
//
//	backup.WriteFile(path, func(w io.Writer) error {
//		b, err := db.Backup(ctx, w, previous) // previous, from backup.Verify, or nil
//		...
//	})
//
// # Limits
//
// One process at a time (Badger locks the directory). Values are at most
// [MaxValue], so that all of them live in the tree and its log: Badger only logs
// a failed sync of its separate value log. A disk that fills up kills Badger
// with SIGBUS, therefore writes are turned off while less than [Config.MinFree]
// is free.
package badger
