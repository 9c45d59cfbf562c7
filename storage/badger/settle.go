package badger

import "time"

// settleAfter is how long records stay in memory at most while little is
// written.
const settleAfter = 15 * time.Second

func (db *DB) young() *layer { return db.layers.young } // the committer's

// rotate begins a new journal and has the old one's records moved. It waits for
// an earlier one to end.
func (db *DB) rotate() error {
	if err := db.awaitSettled(); err != nil || db.young().empty() {
		return err
	}
	next, err := db.nextJournal()
	if err != nil {
		db.failed.Store(true)
		return err
	}
	db.used, db.journal = db.journal, next
	db.layers.mu.Lock()
	db.layers.old, db.layers.young = db.layers.young, newLayer(next.number)
	db.layers.mu.Unlock()
	db.settling = make(chan error, 1)
	db.settlesAs++
	go db.settle(next.number+1, db.settling)
	return nil
}

// settle moves the old layer into the tables and makes its journal the next one.
func (db *DB) settle(next uint64, done chan<- error) {
	err := db.tables.settle(db.layers.old, db.cfg.Fault)
	if err == nil {
		err = db.cfg.Fault(StepSettled)
	}
	if err == nil {
		db.layers.mu.Lock()
		db.layers.old = nil
		db.layers.mu.Unlock()
		db.spare, err = newJournal(db.cfg.Dir, db.cfg.Key, next, db.used, int64(db.cfg.Journal))
		db.used = nil
	}
	if err != nil {
		db.failed.Store(true)
		db.tables.fail()
	}
	done <- err
}

// awaitSettled waits until no records are on their way into the tables.
func (db *DB) awaitSettled() error {
	if db.settling != nil {
		db.settleErr = <-db.settling
		db.settling = nil
	}
	return db.settleErr
}

// settled reports whether no records are on their way.
func (db *DB) settled() bool { return db.settling == nil || len(db.settling) > 0 }

// settleAll moves all records into the tables.
func (db *DB) settleAll() error {
	if err := db.rotate(); err != nil {
		return err
	}
	return db.awaitSettled()
}

func (db *DB) nextJournal() (*journal, error) {
	if next := db.spare; next != nil {
		db.spare = nil
		return next, nil
	}
	return newJournal(db.cfg.Dir, db.cfg.Key, db.journal.number+1, nil, 0)
}
