// Package voprf implements the verifiable mode of the oblivious pseudorandom
// function of RFC 9497 for the suites ristretto255-SHA512 and P384-SHA384, in
// batches under one proof.
//
// It is a package of its own because three roles of Privacy Pass compute with
// it: clients blind and finalize, issuers evaluate, origins that hold the
// issuance key evaluate again to redeem. It exists beside circl's oprf package
// for three reasons: composite elements are sums over public data, which one
// variable-time multi-scalar multiplication computes at a fifth of the cost;
// P-384 with a secret scalar runs in constant time here; and decoding refuses
// the identity and every encoding but the canonical compressed one.
//
// Secret scalars meet constant-time code only. Elements that travel in requests
// and responses are public, and so are the scalars of composites.
package voprf
