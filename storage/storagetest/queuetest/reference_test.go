package queuetest_test

import (
	"testing"

	"github.com/pseudods/pseudods/storage/storagetest/queuetest"
)

// site keeps its store over crashes, as what is in memory here is what a store
// calls durable.
type site struct{ store *queuetest.Reference }

type store struct{ *queuetest.Reference }

func (store) Close() error { return nil }

func (s site) Open() (queuetest.Store, error) { return store{s.store}, nil }
func (site) Crash() error                     { return nil }
func (site) Steps() int                       { return 0 }
func (site) Fail(int)                         {}

func TestReference(t *testing.T) {
	queuetest.Run(t, func(*testing.T) queuetest.Site { return site{queuetest.NewReference()} })
}
