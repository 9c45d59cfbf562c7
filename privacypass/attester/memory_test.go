package attester_test

import (
	"testing"

	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/privacypass/attester/storetest"
)

func TestMemory(t *testing.T) {
	storetest.Run(t, storetest.Driver{Open: func(*testing.T) attester.Store { return new(attester.Memory) }})
}
