// Package attester decides who gets Privacy Pass tokens and how many.
//
// RFC 9576, Section 3.2 splits issuing in two: the issuer signs, the attester
// vouches for whoever asks. An [Attester] turns what a client sent along with
// its token request into an [Identity]: some account it knows. [Allowances]
// then rations tokens per (account, class, epoch) and makes issuance
// idempotent: the same request again is answered with the same bytes, whatever
// crashed in between.
//
// The recommended path is [Allowances.Admit] before any public-key operation
// and [Ticket.Settle] after it; the reply that Settle returns is the only one
// that may leave the process.
//
// This package holds what needs no network: invite codes ([Invites]), signed
// requests of registered account keys ([AccountKeys]) and proof of work
// ([ProofOfWork]). JSON Web Tokens and the operator's own account system are in
// the packages oidc and webhook below it. Time and randomness are passed in.
//
// What an attester must not learn: an account is never seen beside a group, a
// queue or a redemption, because none of these reach an issuer. What it does
// learn is when an account fetches tokens. Batches have fixed sizes (see
// [Policy]), so that a request doesn't tell how many tokens were spent since
// the last one.
package attester
