package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/moderation"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/server"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/badger"
	store "github.com/pseudods/pseudods/storage/badger/reports"
	"github.com/pseudods/pseudods/storage/postgres"
	shared "github.com/pseudods/pseudods/storage/postgres/reports"
)

// accuse data name n [url]: puts n reports of messages of somebody into the store of
// a server that is stopped and has keys, or into a database.
func accuse() {
	dir, n := daemon.Dir(filepath.Join(os.Args[1], "moderation")), must(strconv.Atoi(os.Args[3]))
	keys := daemon.Dir(dir.Path("keys"))
	var cases moderation.Store
	var db io.Closer
	if len(os.Args) > 4 {
		open := must(postgres.Open(context.Background(), postgres.Config{URL: os.Args[4]}, server.Schemas(server.Moderation)...))
		cases, db = shared.New(open), open
	} else {
		open := must(badger.Open(badger.Config{Dir: dir.Path("reports"), Format: store.Format, Fence: filepath.Join(dir.Path("fences"), "reports.fence"), MinFree: 1}))
		cases, db = store.New(open), open
	}
	key := must(seal.ParseKey(wire.X25519, must(keys.ReadSecret("moderation-0001.secret"))))
	docket := must(moderation.New(moderation.Config{Store: cases, Key: key.Public(), Secret: must(keys.ReadSecret("docket.secret"))}))
	for i := range n {
		r := &ds.Report{ID: ds.ReportID{byte(i)}, Domain: "localhost", Credential: mls.BasicCredential([]byte(os.Args[2])), Key: make(ed25519.PublicKey, 32),
			Reason: 1, Note: []byte("this is \x1b[31mspam"), Messages: []ds.ReportedMessage{{Content: fmt.Appendf(nil, "buy pill %d", i), Day: 20000}}}
		copy(r.ID[1:], os.Args[2])
		if err := docket.Take(context.Background(), r); errors.Is(err, ds.ErrReported) {
			fmt.Println("reported already")
		} else {
			ok(err)
		}
	}
	ok(db.Close())
}
