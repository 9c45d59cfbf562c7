// Package atrest encrypts a group's records for the delivery service's store,
// under keys that only the group's members hold.
//
// Every epoch of a group gives its members a group state key, which they derive
// from the MLS exporter and send with each request. The service has no key of
// its own: between requests it can open nothing, and neither can whoever takes
// its disk.
//
//	group state key of epoch e  --wraps-->  data key of generation g
//	data key of generation g    --seals-->  records written in generation g
//	data key of generation g    --links-->  data keys of earlier generations
//
// A commit wraps the data key once more, under the next epoch's group state key,
// which costs the same for every size of group. A commit that removes a member
// begins a generation: the new data key is drawn at random, so that the removed
// member, who knows the old one, can open nothing that is written from then on,
// whatever copies of the store it gets. Records move to the new generation when
// they are next written; until then the links lead to their key.
//
// Whoever controls the store can at most delete records, or bring back an older
// copy of the whole group; a record opens only in its own group, at its own place
// and version. Its size, padded to a class, and how often it changes are visible.
package atrest
