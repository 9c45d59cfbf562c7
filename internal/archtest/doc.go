// Package archtest holds the rules of this repository's structure and fails
// when the code breaks one: who may import whom, which binary may link what,
// which packages do no I/O, how long a file may grow.
package archtest
