// Package privacypass implements the structures of Privacy Pass: the
// challenges, tokens and HTTP header fields of RFC 9577, the issuance messages
// of RFC 9578 and of draft-ietf-privacypass-batched-tokens-07, and the
// extensions of draft-ietf-privacypass-auth-scheme-extensions-03.
//
// Each role has a package of its own: client makes requests and tokens,
// issuer answers requests, verify redeems tokens (verify/private those that
// only the issuance key can check). This package holds what they share and does
// no cryptography beyond SHA-256 digests.
//
// Three token types are supported: VOPRF over ristretto255 (0x0005), which is
// the one to choose when issuer and origin are one operator; blind RSA (0x0002)
// when they are not; and VOPRF over P-384 (0x0001) for interoperability.
//
// Nothing here reads a clock, a network or a file; randomness is passed in.
// Parsers are strict: they refuse trailing octets, wrong sizes and length
// headers that are not of minimum size, and compare counts with a limit before
// they allocate. What they return aliases the input, which must not be modified
// afterwards. They check framing alone: whether an element lies in its group is
// for the role that computes with it.
package privacypass
