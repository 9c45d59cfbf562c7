// Package backup is the format of backups of stores: one stream that says what
// it is a backup of, holds records in the order of their keys, and proves at its
// end that it is whole. It knows no engine.
//
//	magic                     "pdsbackup" 0x00 0x01
//	manifest                  [Manifest], opaque<0..2^16-1>
//	digest[32]                d(0) = SHA-256(magic, manifest with its length)
//	chunks                    each: length in 4 octets (1 to 2^20), items,
//	                          d(n) = SHA-256(d(n-1), length, items)
//	end                       0 in 4 octets; records, kept and octets in 8 each,
//	                          d(n) = SHA-256(d(n-1), the 28 octets before)
//
// An item is a record (1, key<0..2^16-1>, value length in 4 octets, value) or, in
// an increment, a record that was in the backup before and is the same (2,
// [Fingerprint] of its key). No item is split over chunks.
//
// A full backup holds all records. An increment holds those that were written
// since the backup it follows, and a fingerprint of 8 octets for each that was
// not: what it does not name is gone. So nothing depends on what an engine still
// knows of deletions. The last digest names the backup; an increment names that
// of the backup before it, and whoever knows the last digest of a chain can tell
// that every octet of the chain is what was written.
//
// Nothing is encrypted: a backup shows what the store shows, sealed records
// sealed, but neither the order in which records were written nor which were
// written together; an increment shows which were written since the one before.
// Encrypt it on its way to a place that the store may not be shown to. Checksums
// find accidents. Whoever can write a backup can write the store.
package backup
