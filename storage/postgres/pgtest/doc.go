// Package pgtest gives tests a PostgreSQL server of their own, which ends with the
// test binary: see package pgserver.
//
// A package whose tests use it has
//
//	func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }
//
// Where there are no binaries tests are skipped with the reason, or fail if the
// environment variable [Required] is set.
package pgtest
