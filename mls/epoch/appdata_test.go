package epoch

import (
	"errors"
	"runtime"
	"testing"

	"github.com/pseudods/pseudods/mls"
)

func appDataUpdates(n int) []*Proposal {
	list := make([]*Proposal, n)
	for i := range list {
		list[i] = byValue(mls.Proposal{Type: mls.ProposalTypeAppDataUpdate,
			AppDataUpdate: &mls.AppDataUpdate{ID: mls.ComponentID(n - i), Operation: mls.AppDataUpdateSet, Update: []byte{byte(i)}}})
	}
	return list
}

// TestAppDataOfManyComponents: what a commit costs is in proportion to its
// length, measured by what it allocates.
func TestAppDataOfManyComponents(t *testing.T) {
	cost := func(n int) uint64 {
		list := appDataUpdates(n)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		a := &Applied{}
		if err := a.applyAppData(list); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		var d mls.AppDataDictionary
		if ok, err := a.Extensions.Decode(mls.ExtensionTypeAppDataDictionary, &d); !ok || err != nil || len(d) != n {
			t.Fatalf("%d components: %d in the dictionary, %v", n, len(d), err)
		}
		return after.TotalAlloc - before.TotalAlloc
	}
	if small, large := cost(1000), cost(16000); large > 40*small {
		t.Errorf("1,000 updates allocate %d octets, 16,000 allocate %d", small, large)
	}
}

func TestAppDataRules(t *testing.T) {
	remove := byValue(mls.Proposal{Type: mls.ProposalTypeAppDataUpdate, AppDataUpdate: &mls.AppDataUpdate{ID: 1, Operation: mls.AppDataUpdateRemove}})
	a := &Applied{}
	if err := a.applyAppData([]*Proposal{remove}); !errors.Is(err, ErrAppData) {
		t.Errorf("removal of what is not there: %v", err)
	}
	if err := a.applyAppData(appDataUpdates(2)); err != nil {
		t.Fatal(err)
	}
	if err := a.applyAppData([]*Proposal{remove}); err != nil {
		t.Fatal(err)
	}
	var d mls.AppDataDictionary
	if _, err := a.Extensions.Decode(mls.ExtensionTypeAppDataDictionary, &d); err != nil || len(d) != 1 || d[0].ID != 2 {
		t.Errorf("after update and removal: %v, %v", d, err)
	}
	a.rules = &Rules{AppData: func(mls.ComponentID, []byte, [][]byte) ([]byte, bool) { return nil, false }}
	if err := a.applyAppData(appDataUpdates(1)); !errors.Is(err, ErrAppData) {
		t.Errorf("refused by the application: %v", err)
	}
}
