package ds

// AllKinds are the first octets of the keys of records.
var AllKinds = append([]byte{keyHead}, erasedKinds...)

// KindName is what a report calls a kind.
func KindName(kind byte) string { return recordKinds[kind].name }

// SetMaxErased makes one step of a deletion small, and returns what undoes it.
func SetMaxErased(n int) (undo func()) {
	was := maxErased
	maxErased = n
	return func() { maxErased = was }
}
