// Package httpapi is an issuer's HTTP interface: the directory and the issuance
// endpoint of RFC 9578, with the batches of
// draft-ietf-privacypass-batched-tokens-07, behind attesters.
//
// # Paths
//
//	GET  /.well-known/private-token-issuer-directory          of the default class
//	GET  /{class}/.well-known/private-token-issuer-directory
//	POST /{class}/token-request
//	GET  /issuer.json                                         attester.Description
//
// Each token class has keys, a directory and an endpoint of its own, so that a
// client of the standards alone can be pointed at a class, and so that no
// directory shows more than two live keys of a type.
//
// # Issuance
//
// A request carries its attestation in the Authorization header; the scheme
// selects the attester. The order of work is: framing and keys (422), batch size
// (422), attestation (401, 403), allowance (429), private-key operations, and the
// durable charge, which stores the reply that is then released. The same request
// of the same account in the same epoch gets that stored reply, byte for byte.
//
//	200  all tokens
//	206  some tokens of a generic batch; the others are marked absent
//	400  the content could not be read, or no token of a generic batch was issued
//	401  no attestation, or none that an attester here understands
//	403  the attester refused
//	413  the content is longer than the largest request of the class
//	415  the Content-Type is none of the three request types
//	422  the request, one of its fields, or the number of tokens is not accepted
//	429  the account's allowance is used up; Retry-After unless it never renews
//	500  a fault of the issuer; nothing was released
//	503  overload, or an attester or the store cannot be reached; Retry-After
//
// Bodies of errors are short texts without identifiers. Nothing here logs or
// counts by account, key, token or address.
package httpapi
