// Package pgtest gives tests a PostgreSQL server of their own: a cluster made by
// initdb in a temporary directory from the binaries that Debian installs, on a
// unix socket, which ends with the test binary. Databases that are installed on
// the machine are not touched.
//
// A package whose tests use it has
//
//	func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }
//
// Where there are no binaries tests are skipped with the reason, or fail if the
// environment variable [Required] is set.
package pgtest
