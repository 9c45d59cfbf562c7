package host

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/privacypass/keyring"
)

// forgetting is a store that has something done once when epochs are forgotten.
type forgetting struct {
	attester.Store
	once chan func()
}

func (f *forgetting) DropBefore(ctx context.Context, e attester.Epoch) error {
	select {
	case do := <-f.once:
		do()
	default:
	}
	return f.Store.DropBefore(ctx, e)
}

// TestRotationWhileTending: keys that another program changes after they were read,
// and before the round is over, are noticed by the next one.
func TestRotationWhileTending(t *testing.T) {
	h := verdictHost(t, nil)
	slot := keyring.Slot{Class: "default", Type: privacypass.VOPRFRistretto255}
	c := Default()
	c.Classes = []Class{{Name: "default", Types: []string{"0x0005"}, Tokens: 32, BatchSizes: []int{8}}}
	_, slots, err := c.classes()
	if err != nil {
		t.Fatal(err)
	}
	other, err := keyring.Open(keyring.Config{Dir: h.keysDir, Slots: slots, Schedule: c.schedule(), Rand: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	before := h.ring.Live(slot, time.Now())[0].ID()
	once := make(chan func(), 1)
	once <- func() {
		if err := other.Rotate(slot, keyring.Compromised, time.Now()); err != nil {
			t.Error(err)
		}
	}
	if h.allowances, err = attester.NewAllowances(&forgetting{h.store, once}, attester.NewNames(secret.New(make([]byte, 32))), time.Hour, nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	tended := make(chan struct{})
	go func() { h.Tend(ctx); close(tended) }()
	defer func() { cancel(); <-tended }()
	for end := time.Now().Add(advanceEvery / 2); h.ring.Live(slot, time.Now())[0].ID() == before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a compromised key is in use half a minute later")
		}
	}
}
