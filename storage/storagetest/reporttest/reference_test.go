package reporttest_test

import (
	"testing"

	"github.com/pseudods/pseudods/storage/storagetest/reporttest"
)

// site keeps its store over crashes, as what is in memory here is what a store
// calls durable.
type site struct{ store *reporttest.Reference }

type store struct{ *reporttest.Reference }

func (store) Close() error { return nil }

func (s site) Open() (reporttest.Store, error) { return store{s.store}, nil }
func (site) Crash() error                      { return nil }
func (site) Steps() int                        { return 0 }
func (site) Fail(int)                          {}

func TestReference(t *testing.T) {
	reporttest.Run(t, func(*testing.T) reporttest.Site { return site{new(reporttest.Reference)} })
}
