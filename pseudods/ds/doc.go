// Package ds is the delivery service: it orders the messages of MLS groups
// whose members it does not know.
package ds
