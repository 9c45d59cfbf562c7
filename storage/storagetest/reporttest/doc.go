// Package reporttest is the conformance and fault suite for stores of reported
// cases ([moderation.Store]). Every driver passes [Run] unchanged; [Reference] is the
// contract in the shortest form we could write, and passes it too.
package reporttest
