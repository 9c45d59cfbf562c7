package seal

import (
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/wire"
)

const (
	joinInfo   = "pseudods 1.0 join info"
	accessInfo = "pseudods 1.0 access grant"
)

// SealJoinInfo encrypts what a newcomer needs to the WelcomeKey of its
// [wire.KeyPackageAddress], for one group. It fails with [ErrKey] or
// [mls.ErrEncode].
func SealJoinInfo(welcomeKey [32]byte, group wire.GroupID, i *wire.JoinInfo) ([]byte, error) {
	return sealFor(welcomeKey, joinInfo, group, i)
}

// OpenJoinInfo opens what [SealJoinInfo] made. It fails with [ErrOpen] or
// [wire.ErrMalformed].
func OpenJoinInfo(key *PrivateKey, group wire.GroupID, sealed []byte) (*wire.JoinInfo, error) {
	i := new(wire.JoinInfo)
	return i, openFor(key, joinInfo, group, sealed, i)
}

// SealAccess encrypts the answer to a [wire.AccessRequest] to its Key. It fails
// with [ErrKey] or [mls.ErrEncode].
func SealAccess(key [32]byte, group wire.GroupID, g *wire.AccessGrant) ([]byte, error) {
	return sealFor(key, accessInfo, group, g)
}

// OpenAccess opens what [SealAccess] made. It fails with [ErrOpen] or
// [wire.ErrMalformed].
func OpenAccess(key *PrivateKey, group wire.GroupID, sealed []byte) (*wire.AccessGrant, error) {
	g := new(wire.AccessGrant)
	return g, openFor(key, accessInfo, group, sealed, g)
}

// sealFor encrypts v to an X25519 key, authenticating the group.
func sealFor(key [32]byte, info string, group wire.GroupID, v mls.Marshaler) ([]byte, error) {
	plaintext, err := mls.Marshal(v)
	if err != nil {
		return nil, err
	}
	kemOutput, ciphertext, err := sealTo(&wire.HPKEKey{KEM: wire.X25519, Public: key[:]}, info, group[:], plaintext)
	if err != nil {
		return nil, err
	}
	var w tlscodec.Writer
	w.Opaque(kemOutput)
	w.Raw(ciphertext)
	return w.Bytes()
}

func openFor(key *PrivateKey, info string, group wire.GroupID, sealed []byte, v mls.Unmarshaler) error {
	r := tlscodec.NewReader(sealed, tlscodec.Limits{})
	kemOutput, ciphertext := r.Opaque(), r.Rest()
	if err := r.Finish(); err != nil {
		return err
	}
	plaintext, err := key.open(info, group[:], kemOutput, ciphertext)
	if err != nil {
		return err
	}
	return mls.Unmarshal(plaintext, v)
}
