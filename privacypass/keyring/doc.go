// Package keyring keeps an issuer's keys: it makes them on time, announces
// them, lets two epochs overlap, and deletes them.
//
// Keys are grouped by [Slot], a token class and a token type. A class is an
// opaque name with keys of its own, so that whoever redeems a token can tell its
// class from the key that verifies it. Per slot at most two keys are live at any
// time: with more, an issuer could sort clients into small groups by handing
// different keys to each (RFC 9576, Section 6.1).
//
// A [Schedule] is a pure calendar. A [Ring] applies it to a directory of key
// files, which is the only truth: programs may change it at the same time under
// its lock, and may be killed at any moment. Call [Ring.Advance] at least as
// often as [Ring.Next] says.
//
// Whoever reads the directory can at most make tokens of every class without end
// until the keys are replaced, and, for the privately verifiable types, redeem
// them; whoever writes it can besides choose the keys. Neither gives a way to
// link a token to its issuance.
package keyring
