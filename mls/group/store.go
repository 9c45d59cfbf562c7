package group

import (
	"encoding/binary"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
)

var (
	_ KeyPackageStore = (*MemoryStore)(nil)
	_ PSKStore        = (*MemoryStore)(nil)
)

// MemoryStore keeps KeyPackages and PSKs in memory: for tests, and for clients
// that live in one process. It is not safe for concurrent use.
type MemoryStore struct {
	keyPackages map[string]*KeyPackage
	psks        map[string]secret.Bytes
}

// NewMemoryStore returns a store that holds nothing.
func NewMemoryStore() *MemoryStore {
	return &MemoryStore{keyPackages: make(map[string]*KeyPackage), psks: make(map[string]secret.Bytes)}
}

// PutKeyPackage implements [KeyPackageStore].
func (m *MemoryStore) PutKeyPackage(ref mls.KeyPackageRef, p *KeyPackage) error {
	m.keyPackages[string(ref)] = p
	return nil
}

// KeyPackage implements [KeyPackageStore].
func (m *MemoryStore) KeyPackage(ref mls.KeyPackageRef) (*KeyPackage, error) {
	return m.keyPackages[string(ref)], nil
}

// DeleteKeyPackage implements [KeyPackageStore].
func (m *MemoryStore) DeleteKeyPackage(ref mls.KeyPackageRef) error {
	delete(m.keyPackages, string(ref))
	return nil
}

// PutExternalPSK keeps a PSK that the members agreed on elsewhere.
func (m *MemoryStore) PutExternalPSK(id []byte, key secret.Bytes) { m.psks["e"+string(id)] = key }

// PutResumptionPSK keeps what [Group.ResumptionPSK] returned in an epoch.
func (m *MemoryStore) PutResumptionPSK(groupID []byte, epoch uint64, key secret.Bytes) {
	m.psks[resumptionName(groupID, epoch)] = key
}

// ExternalPSK implements [PSKStore].
func (m *MemoryStore) ExternalPSK(id []byte) (secret.Bytes, error) {
	return m.psks["e"+string(id)], nil
}

// ResumptionPSK implements [PSKStore].
func (m *MemoryStore) ResumptionPSK(groupID []byte, epoch uint64) (secret.Bytes, error) {
	return m.psks[resumptionName(groupID, epoch)], nil
}

func resumptionName(groupID []byte, epoch uint64) string {
	return "r" + string(binary.BigEndian.AppendUint64(nil, epoch)) + string(groupID)
}
