// Package groups keeps a delivery service's groups in PostgreSQL.
//
// The group is the partition key of all three tables: a row with its counters,
// its records, and the parts of messages that wait. One call of commit holds a
// whole batch, so that records, the replay guard and the messages that follow from
// them are durable together or not at all.
//
// The counters' row is where batches of a group meet: whoever changes it from the
// version that the batch was made for wins, and the others are told. The row names
// the batch that it was changed by, so that a batch whose answer was lost is known
// again.
//
// Several processes may share the database.
package groups
