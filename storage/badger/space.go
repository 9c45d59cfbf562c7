package badger

// watchSpace turns writes off below MinFree and on again at a quarter more. It
// runs at the start of each batch: a system call of a microsecond before a sync
// of a hundred. A disk that cannot be asked counts as full.
func (db *DB) watchSpace() {
	free, err := db.cfg.Free(db.cfg.Dir)
	floor := db.cfg.MinFree
	if db.writesOff {
		floor += floor / 4
	}
	db.writesOff = err != nil || free < floor
	db.off.Store(db.writesOff)
}
