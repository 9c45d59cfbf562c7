// Package identity binds a member's pseudonym in a group to the real credential
// behind it, for the other members and nobody else.
//
// The leaf of a member carries a pseudonymous credential
// ([wire.PseudonymousCredential]). Inside it an identity link hides the real
// credential and a signature by the real key over the pseudonym and the leaf's
// signature key. The link is sealed under a link key that the group's members
// keep in the [Roster]. The delivery service stores links and roster and can
// open neither.
//
// The signature covers the leaf's signature key, so that a member can not take
// another's credential and use it as its own: under another signature key the
// link does not verify.
//
// Real credentials are opaque here. An application brings a [Verifier] that
// knows which key belongs to which credential; [Pinned] is one that remembers
// the first key it sees.
package identity
