// Package storagetest holds the conformance and fault suites that every storage
// driver runs, and reference implementations in memory that pass them, assert
// the contract and can fail at each step.
package storagetest
