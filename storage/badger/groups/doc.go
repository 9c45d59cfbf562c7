// Package groups keeps a delivery service's groups in an embedded database.
//
// Keys begin with what they are: a group's version, one of its records, or a
// part of a message that waits. Then comes the group, so that each group is a
// range of its own. The format is
//
//	'v' group                            version, sequence: 8 octets each
//	'r' group key                        a record
//	'o' group lane sequence part         a part of a message: whether it is the
//	                                     last in 1 octet, and its octets
//	'n'                                  how often the database was replaced by
//	                                     an older copy: 2 octets
//
// One request to the committer holds a whole batch, so that records, the replay
// guard and the messages that follow from them are durable together or not at
// all. Larger batches than the committer takes are refused with its error.
package groups
