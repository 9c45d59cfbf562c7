package groups

import (
	"context"

	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/storage/badger"
)

// CheckStructure is [Check] for stores whose records are not those of a delivery
// service.
func CheckStructure(ctx context.Context, db *badger.DB, report func(badger.Finding)) (badger.Summary, error) {
	return inspect(ctx, db, report, func(r ds.GroupRecords, _ func(kind, problem string)) error {
		return r.Each(func(_, _ []byte) error { return nil })
	})
}
