// Package patroni has the example of a Patroni node's configuration, so that the
// crash test runs what is recommended.
package patroni

import _ "embed"

// Config is the file patroni.yml.
//
//go:embed patroni.yml
var Config string
