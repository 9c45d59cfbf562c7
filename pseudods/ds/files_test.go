package ds_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/audit"
	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/badger/groups"
)

// TestINV02FilesShowGroupsAlone: of all that members and their requests have to
// do with, the files of a busy store show the identifiers of groups and nothing
// else, also in records that were replaced or deleted.
func TestINV02FilesShowGroupsAlone(t *testing.T) {
	root := t.TempDir()
	db := must(badger.Open(badger.Config{Dir: filepath.Join(root, "db"), Fence: filepath.Join(root, "fence"), Format: groups.Format, OnRollback: groups.OnRollback, MinFree: 1}))
	r := newRig(t, func(c *ds.Config) { c.Store = groups.New(db) })
	all := r.founded(4)
	var needles []audit.Needle
	add := func(kind audit.Kind, octets []byte) {
		needles = append(needles, audit.Needle{Kind: kind, Octets: octets})
	}
	note := func(c *client) {
		name := must(wire.ParseMemberName(wire.ProfilePseudonymous, &c.mls.Credential))
		add("client pseudonym", []byte(name.Client))
		add("user pseudonym", []byte(name.User))
		add("user key", name.Credential.UserAuthKey)
		add("leaf key", c.mls.Signer.Public())
		add("provider", []byte(name.Credential.Provider))
		add("address", c.address.Address.Sealed.Ciphertext)
		add("address key", c.address.Address.Sealed.KEMOutput)
		add("address nonce", c.address.Address.Nonce[:])
		add("delivery secret", c.address.Secret.Reveal())
		if c.kp != nil {
			add("KeyPackage", must(c.kp.Ref(must(mls.X25519AES128GCM.Suite()))))
		}
	}
	for _, c := range all {
		note(c)
	}
	for i := range 5 {
		late := r.person(fmt.Sprint("late ", i), "one.example")
		note(late)
		r.ok(all[0].add(wire.OpAddUsers, late))
		add("group state key", stateKey(all[0].Group).Reveal())
		send := all[1].sendRequest("in the outbox")
		add("nonce", send.Nonce[:])
		r.ok(r.call(all[1].sign(send), new(wire.Accepted)))
		r.settle(all[0], append(all, late)...)
		r.ok(all[0].remove(wire.OpRemoveUsers, late))
		r.settle(all[0], all...)
		add("tree hash", all[0].Context().TreeHash)
		add("transcript", all[0].Context().ConfirmedTranscriptHash)
	}
	id := all[0].id()
	add("group", id[:])
	r.ok(all[0].send("stays in the outbox"))
	r.ok(db.Close())

	report := must(audit.New(needles)).Report("ds")
	r.ok(report.Stores(t.Context(), root))
	for _, n := range needles {
		found, hits := report.Found(n.Kind)
		if n.Kind == "group" && hits.Records < 100 {
			t.Fatalf("the group was found in %+v: the search finds nothing", hits)
		}
		if n.Kind != "group" && found > 0 {
			var table strings.Builder
			r.ok(audit.WriteTable(&table, report))
			t.Fatal(table.String())
		}
	}
}
