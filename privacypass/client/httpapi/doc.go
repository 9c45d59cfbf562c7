// Package httpapi is a client's way to an issuer over HTTP: it reads what the
// issuer publishes, and carries token requests there with an attestation.
//
// [Discover] an [Issuer], take the keys of a class with [Issuer.Class], make a
// request with package client, and [Class.Send] it with an [Attestor].
//
// What the issuer learns from connections and from the times of requests is the
// caller's affair, as is whether it shows everybody the same keys.
package httpapi
