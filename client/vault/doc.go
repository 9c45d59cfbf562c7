// Package vault keeps a client's durable state: named records, each sealed in a
// file of its own, in one directory that one process has at a time.
//
// # Crashes
//
// [Vault.Put] replaces a record as a whole: the new file is written under a
// temporary name, synced, renamed, and the directory synced before Put returns.
// A crash leaves the old record or the new one. Records are independent of one
// another: what must change together belongs into one record.
//
// # What whoever has the directory can do
//
// Without the key it shows the number of records, the size class of each
// ([seal.PaddedSize]), and when each was last replaced. File names are keyed
// hashes of record names. A record that is changed, or put in another's place,
// does not open.
//
// Whoever can write the directory can delete records, or put an older version of
// one back: nothing here notices, as a restored backup is the same. A client that
// goes on from old state may encrypt twice under one key and is told apart by the
// services. So do not copy the directory between devices, and do not restore it.
//
// With the key it shows everything: the key is kept elsewhere, such as in the
// system's key store or under a passphrase. What was deleted or replaced may be
// found on the disk until the file system has used the place again.
package vault
