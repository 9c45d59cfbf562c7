package storagetest_test

import (
	"testing"

	"github.com/pseudods/pseudods/storage/storagetest"
)

func TestINV04Reference(t *testing.T) {
	storagetest.TestLedger(t, func(*testing.T) storagetest.LedgerSite { return storagetest.NewReferenceSite() })
}
