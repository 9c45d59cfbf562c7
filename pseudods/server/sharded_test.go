package server

import (
	"testing"

	"github.com/pseudods/pseudods/storage/postgres/pgtest"
)

// TestShardedRoles: every role's database can be sharded, all that its schemas have
// being declared.
func TestShardedRoles(t *testing.T) {
	for _, role := range []Role{DS, QS, Issuer, Moderation} {
		db := pgtest.NewSharded(t, 2, Schemas(role)...).Open(t)
		if err := db.Ping(t.Context()); err != nil {
			t.Errorf("%s: %v", role, err)
		}
	}
}
