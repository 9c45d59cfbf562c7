package seal

import (
	"bytes"
	"errors"
	"testing"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/pseudods/wire"
)

func TestJoinInfoAndAccessAreForOneGroupAndKey(t *testing.T) {
	key, err := GenerateKey(wire.X25519)
	if err != nil {
		t.Fatal(err)
	}
	other, err := GenerateKey(wire.X25519)
	if err != nil {
		t.Fatal(err)
	}
	public, group := [32]byte(key.Public().Public), wire.GroupID{1}
	octets := func(n byte) secret.Bytes { return secret.New(bytes.Repeat([]byte{n}, 32)) }
	info := &wire.JoinInfo{GroupStateKey: octets(1), DeliverySecret: octets(2), RosterGeneration: 3, RosterKey: octets(4)}
	sealed, err := SealJoinInfo(public, group, info)
	if err != nil {
		t.Fatal(err)
	}
	got, err := OpenJoinInfo(key, group, sealed)
	if err != nil || !got.GroupStateKey.Equal(info.GroupStateKey) || !got.DeliverySecret.Equal(info.DeliverySecret) ||
		got.RosterGeneration != 3 || !got.RosterKey.Equal(info.RosterKey) {
		t.Fatalf("join info changes on the way: %v", err)
	}
	if _, err := OpenJoinInfo(other, group, sealed); !errors.Is(err, ErrOpen) {
		t.Errorf("other key: %v", err)
	}
	if _, err := OpenJoinInfo(key, wire.GroupID{2}, sealed); !errors.Is(err, ErrOpen) {
		t.Errorf("other group: %v", err)
	}
	if _, err := OpenAccess(key, group, sealed); !errors.Is(err, ErrOpen) {
		t.Errorf("join info taken for access: %v", err)
	}
	for n := range sealed {
		if _, err := OpenJoinInfo(key, group, sealed[:n]); !errors.Is(err, ErrOpen) && !errors.Is(err, wire.ErrMalformed) {
			t.Fatalf("prefix of %d octets: %v", n, err)
		}
	}
	if _, err := OpenJoinInfo(key, group, append(bytes.Clone(sealed), 0)); !errors.Is(err, ErrOpen) {
		t.Errorf("trailing octet: %v", err)
	}
	access, err := SealAccess(public, group, &wire.AccessGrant{Epoch: 5, GroupStateKey: octets(6)})
	if err != nil {
		t.Fatal(err)
	}
	if g, err := OpenAccess(key, group, access); err != nil || g.Epoch != 5 || !g.GroupStateKey.Equal(octets(6)) {
		t.Errorf("access grant changes on the way: %v", err)
	}
}
