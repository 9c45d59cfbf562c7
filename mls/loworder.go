package mls

import (
	"encoding/hex"
	"slices"
)

// A public key of small order is well-formed by its length alone, but whoever
// encrypts to it gets an all-zero shared secret and must stop (RFC 9180, Section
// 7.1.4). In a leaf or KeyPackage such a key would stop every commit that has to
// encrypt to it, so it is refused wherever keys are checked. All encodings of
// these points are known (RFC 7748, Section 6), so that comparing is enough.

// lowOrder25519Points are the u-coordinates of small order on Curve25519 and its
// twist, the ones above the prime included, little-endian.
var lowOrder25519Points = decodeAll(
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000000",
	"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
	"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // p-1
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // p = 0
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // p+1 = 1
)

// lowOrder448Points are those on Curve448 and its twist.
var lowOrder448Points = decodeAll(
	"0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
	"fefffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffffffffffffffffffffffffffffffffffffffffffffffffff", // p-1
	"fffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffffffffffffffffffffffffffffffffffffffffffffffffff", // p = 0
	"00000000000000000000000000000000000000000000000000000000ffffffffffffffffffffffffffffffffffffffffffffffffffffffff", // p+1 = 1
)

func decodeAll(points ...string) (out [][]byte) {
	for _, p := range points {
		b, err := hex.DecodeString(p)
		if err != nil {
			panic("mls: broken constant")
		}
		out = append(out, b)
	}
	return out
}

func lowOrder25519(public []byte) bool {
	u := slices.Clone(public)
	u[31] &= 0x7f // X25519 ignores the highest bit
	return slices.ContainsFunc(lowOrder25519Points, func(p []byte) bool { return slices.Equal(p, u) })
}

func lowOrder448(public []byte) bool {
	return slices.ContainsFunc(lowOrder448Points, func(p []byte) bool { return slices.Equal(p, public) })
}
