// Package queuetest is the conformance and fault suite for stores of a queue
// service ([qs.Store]). Every driver passes [Run] unchanged; [Reference] is the
// contract in the shortest form we could write, and passes it too.
package queuetest
