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
	var commit, fsync, pages, names string
	var unlogged, standbys, behind int
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
		[]any{all}, One(&commit, &fsync, &pages, &names, &unlogged, &standbys, &behind))
	if err != nil {
		return err
	}
	has := map[Risk]bool{
		RiskCommitNotSynced:     commit == "off",
		RiskNoFsync:             fsync == "off",
		RiskTornPages:           pages == "off",
		RiskUnlogged:            unlogged > 0,
		RiskAsynchronous:        standbys > 0 && (names == "" || commit == "local"),
		RiskAsynchronousStandby: names != "" && behind > 0,
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
