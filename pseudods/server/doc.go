// Package server puts the roles of a provider together: delivery service, queue
// service and issuer, any of them, each with stores, secrets and, if wanted, a
// listener of its own.
//
// New opens everything and listens; Run serves until its context ends. Several
// servers may run in one process. A delivery service hands to the queue service
// beside it, or over HTTP to those of other providers and processes; both get and
// answer the same.
//
// Each token has one place where it can be spent: the price list gives each class
// to operations of one role, whose ledger alone takes its tokens.
package server
