// Package wire holds the requests and responses that clients and services of
// this product exchange, in the TLS presentation language.
//
// A [Request] stands alone: operation, group and recipient are inside it, under
// one signature, so that it can be carried by any transport that moves octets,
// and is refused by a service it was not meant for. HTTP is one thin binding.
//
// Decoding is strict: see package mls for the rules, which are the same here.
// Every structure refuses each strict prefix of its encoding and a trailing
// octet, and octet strings alias the input.
package wire
