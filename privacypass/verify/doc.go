// Package verify redeems Privacy Pass tokens: it checks that a token was issued
// under a known key of the expected issuer, for the expected challenge.
//
// Make a [KeySet] of an issuer's live keys and pass each token with the
// challenge that was to be answered through [KeySet.Verify]. The [Redeemed] that
// comes back cannot be made in another way. It does not mean that the token is
// unspent: the caller records the key identifier and the nonce, atomically and
// durably, before it acts.
//
// Keys of blind RSA (0x0002) are made here, from public keys, by [NewBlindRSA].
// Those of the VOPRF types need the issuance key; package verify/private makes
// them, and this package links nothing that can issue.
//
// Whoever controls an origin's verifier of public tokens can at most refuse or
// waste tokens. Whoever controls a verifier of private tokens holds the
// issuance key and can make tokens too.
package verify
