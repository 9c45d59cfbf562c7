// Package bench measures the whole server path, end to end: real services over
// real stores on a disk, and clients that speak the protocol of package wire.
//
// A [Scenario] measures one claim and emits [Result]s. Where other servers do
// the same thing in another way, a result has a baseline: that way, implemented
// here over the same storage kernel and measured in the same run, so that the
// ratio means the same on a busy machine. The baselines are given the benefit of
// the doubt: they authenticate nobody, deliver no acknowledgements and share
// syncs among concurrent transactions as the kernel does.
//
// The clients are puppets ([Crowd]). They hold the members' signature keys and
// make every handshake and message that a server must accept, but encrypt nothing
// to each other: a server cannot tell, and the client's part of MLS would compete
// for the processors that are to be measured. Requests are made and signed before
// the clock starts.
//
// # Limits
//
// All is on one machine, disk and processors shared by both services and what is
// left of the clients. Latencies are without a network.
package bench
