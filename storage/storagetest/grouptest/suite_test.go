package grouptest_test

import (
	"testing"

	"github.com/pseudods/pseudods/storage/storagetest/grouptest"
)

// memory is a site whose store survives whatever happens to it.
type memory struct{ store *grouptest.Reference }

func (m memory) Open() (grouptest.Store, error) { return m.store, nil }
func (m memory) Crash() error                   { return nil }
func (m memory) Steps() int                     { return 0 }
func (m memory) Fail(int)                       {}

func TestReference(t *testing.T) {
	grouptest.Run(t, func(*testing.T) grouptest.Site { return memory{grouptest.NewReference()} })
}
