// Package issuer answers Privacy Pass token requests: RFC 9578 for single
// tokens, draft-ietf-privacypass-batched-tokens-07 for amortized and generic
// batches.
//
// Make keys with [GenerateKey], [DeriveKey] or [ParseKey], give the live ones to
// [New], and pass each request's content through [Issuer.Parse] and
// [Request.Issue]. Between the two stands whatever decides if the requester may
// have that many tokens: Parse costs no private-key operation and tells how many
// tokens of which keys are asked for. Nothing here knows who asks.
//
// An [Issuer] is immutable and safe for concurrent use. To rotate keys build
// another and swap a pointer.
//
// Whoever holds a key can make tokens without end, and, with a key of a VOPRF
// type, redeem them too. An issuer that hands different keys to different
// clients links their tokens: publish one directory for all, and keep few keys
// alive.
package issuer
