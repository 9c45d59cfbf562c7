package postgres

import (
	"fmt"
	"strings"
)

// Table says how rows get into a table when a store is moved here: see
// [OpenMove].
type Table struct {
	// Name is "schema.table".
	Name    string
	Columns []string
	// Prepare returns the statement that makes the partition of a row, or "" if there
	// is nothing to make. It may be run again. nil: there are no partitions.
	Prepare func(values []any) string
	// Finish is a statement for the end, or empty.
	Finish string
	// Under says of rows without a key in which shard they lie.
	Under *Under
}

// Under: a row lies in the shard of the row of another table with the same number,
// which is loaded before it.
type Under struct {
	Table  string // the other
	Number string // its column
	Column string // that of the row itself
}

func (t *Table) columns() string { return strings.Join(t.Columns, ", ") }

func (t *Table) split() []string { return strings.SplitN(t.Name, ".", 2) }

// Partition returns a [Table.Prepare] of a statement with verbs for the integer in
// the given column.
func Partition(column int, statement string) func([]any) string {
	return func(values []any) string { return fmt.Sprintf(statement, values[column]) }
}
