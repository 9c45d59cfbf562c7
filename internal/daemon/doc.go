// Package daemon holds the habits that the server programs share: one strict
// configuration file, a data directory of mode 0700 that makes its own secrets,
// listeners whose certificates are renewed under way, servers that bound what a
// client can hold, an admin listener, and a drain before the end.
//
// Nothing here logs, and http.Server's own messages are dropped: they hold
// addresses of clients.
package daemon
