package ds

// AllKinds are the first octets of the keys of records.
var AllKinds = allKinds

// KindName is what a report calls a kind.
func KindName(kind byte) string { return recordKinds[kind].name }
