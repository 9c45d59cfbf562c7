// Package demo plays the story of a few people at a provider of their own, with
// real services on loopback, real tokens and real MLS, and looks afterwards at
// what the services have kept.
//
// It is a package of its own since it links clients, which the server's program
// does nowhere else.
package demo
