package postgres

import (
	"context"
	"fmt"
	"slices"
)

// Risk is a way in which a database can lose what it acknowledged.
type Risk string

// The risks. What is lost can be any commit of the last moments: a group's
// commit, a message, or that a token was spent.
const (
	// RiskCommitNotSynced: synchronous_commit is off for this login or database, so
	// a crash of the server loses the last commits.
	RiskCommitNotSynced Risk = "commit-not-synced"
	// RiskNoFsync: fsync is off; a crash of the machine can lose all.
	RiskNoFsync Risk = "no-fsync"
	// RiskTornPages: full_page_writes is off; a crash of the machine can damage
	// pages, unless the file system never tears them.
	RiskTornPages Risk = "torn-pages"
	// RiskUnlogged: a table is UNLOGGED, and empty after a crash.
	RiskUnlogged Risk = "unlogged-tables"
	// RiskAsynchronous: standbys stream, and no commit waits for one. To promote
	// one of them loses what it had not received.
	RiskAsynchronous Risk = "asynchronous-replication"
	// RiskAsynchronousStandby: beside synchronous standbys one streams that no
	// commit waits for. Accept it where that one is never promoted, as under
	// Patroni's synchronous_mode.
	RiskAsynchronousStandby Risk = "asynchronous-standby"
)

var risks = []Risk{RiskCommitNotSynced, RiskNoFsync, RiskTornPages, RiskUnlogged, RiskAsynchronous, RiskAsynchronousStandby}

func (r Risk) known() bool { return slices.Contains(risks, r) }

// Risks returns the names of all risks.
func Risks() []Risk { return slices.Clone(risks) }

// RiskError says which risks a database has that nobody accepted.
type RiskError struct{ Risks []Risk }

// Error implements error.
func (e *RiskError) Error() string {
	return fmt.Sprintf("postgres: the database may lose what it acknowledged: %v", e.Risks)
}

// checkRisks looks for risks that are not accepted. What it sees is the state at
// this moment: a standby that comes later is not seen.
//
// An owner of the schemas without pg_read_all_stats sees how many standbys there
// are, and not of which kind: then all count as asynchronous. See [Script].
func (db *DB) checkRisks(ctx context.Context, accept []Risk, schemas []Schema) error {
	var d durability
	all := make([]string, len(schemas))
	if len(schemas) == 0 {
		panic("postgres: a database without a schema")
	}
	for i, s := range schemas {
		all[i] = s.Name
	}
	err := db.Read(ctx, `select current_setting('synchronous_commit'), current_setting('fsync'), current_setting('full_page_writes'),
	current_setting('synchronous_standby_names'),
	(select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relpersistence = 'u' and n.nspname = any($1)),
	s.streaming, s.asynchronous from `+schemas[0].Name+`.standbys() s`,
		[]any{all}, One(d.columns()...))
	if err != nil {
		return err
	}
	return d.check(accept)
}

// durability is what a server says of it.
type durability struct {
	commit, fsync, pages, names string
	unlogged, standbys, behind  int
}

func (d *durability) columns() []any {
	return []any{&d.commit, &d.fsync, &d.pages, &d.names, &d.unlogged, &d.standbys, &d.behind}
}

func (d *durability) check(accept []Risk) error {
	has := map[Risk]bool{
		RiskCommitNotSynced:     d.commit == "off",
		RiskNoFsync:             d.fsync == "off",
		RiskTornPages:           d.pages == "off",
		RiskUnlogged:            d.unlogged > 0,
		RiskAsynchronous:        d.standbys > 0 && (d.names == "" || d.commit == "local"),
		RiskAsynchronousStandby: d.names != "" && d.behind > 0,
	}
	var found []Risk
	for _, r := range risks {
		if has[r] && !slices.Contains(accept, r) {
			found = append(found, r)
		}
	}
	if found != nil {
		return &RiskError{found}
	}
	return nil
}
