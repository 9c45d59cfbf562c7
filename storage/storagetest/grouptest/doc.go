// Package grouptest is one suite of conformance and fault tests for every store
// of a delivery service's groups, and a reference store in memory.
package grouptest
