// Package pgserver starts PostgreSQL servers for tests and measurements: each a
// cluster made by initdb in a directory of its own from the binaries that Debian
// installs, on a unix socket, which ends with the process that started it, however
// that ends. Databases that are installed on the machine are not touched.
//
// It is not how a provider runs a database. Everybody who can reach the socket's
// directory signs in as anybody, and the files are not synced when the cluster is
// made, though what is committed later is.
package pgserver
