package bench

import (
	"context"
	"embed"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/storage/postgres"
	"github.com/pseudods/pseudods/storage/postgres/groups"
	"github.com/pseudods/pseudods/storage/postgres/queues"
)

//go:embed peer
var peerFiles embed.FS

// peerSchema is what the baseline on PostgreSQL has in the database.
var peerSchema = postgres.Schema{Name: "peer", Migrations: must(fs.Sub(peerFiles, "peer"))}

func must(f fs.FS, err error) fs.FS {
	if err != nil {
		panic(err)
	}
	return f
}

// conns are the connections of a store: as many as a dispatcher has workers, and
// some for the senders.
const conns = 24

// named is the name of a figure that other engines have too.
func (e *env) named(figure string) string {
	if e.Postgres != "" {
		return "postgres_" + figure
	}
	return figure
}

func (e *env) openPostgres(schema postgres.Schema) (*postgres.DB, error) {
	ctx, cfg := context.Background(), postgres.Config{URL: e.Postgres, MaxConns: conns}
	if err := postgres.Migrate(ctx, cfg, schema); err != nil {
		return nil, err
	}
	return postgres.Open(ctx, cfg, schema)
}

// newSite opens a site on the engine that is measured. What other sites left in a
// database is of other queues and groups.
func (e *env) newSite(dir string) (*site, error) {
	if e.Postgres == "" {
		return newSite(dir)
	}
	groupDB, err := e.openPostgres(groups.Schema)
	if err != nil {
		return nil, err
	}
	s := &site{dbs: []io.Closer{groupDB}}
	queueDB, err := e.openPostgres(queues.Schema)
	if err != nil {
		return nil, errors.Join(err, s.closeStores())
	}
	s.dbs = append(s.dbs, queueDB)
	store, err := queues.New(queueDB, secret.New(random(queues.WakeKeySize)))
	if err == nil {
		err = s.serve(dir, groups.New(groupDB), store)
	}
	if err != nil {
		return nil, errors.Join(err, s.closeStores())
	}
	return s, nil
}

// copier stores a copy of a message for each recipient.
type copier interface {
	copies(ctx context.Context, group, recipients int, payload []byte) error
}

func (e *env) newCopier() (copier, func(), error) {
	if e.Postgres == "" {
		return e.newPeer()
	}
	db, err := e.openPostgres(peerSchema)
	if err != nil {
		return nil, nil, err
	}
	return postgresPeer{db}, func() { db.Close() }, nil
}

type postgresPeer struct{ db *postgres.DB }

func (p postgresPeer) copies(ctx context.Context, group, recipients int, payload []byte) error {
	for i := range recipients {
		var queue [16]byte
		binary.BigEndian.PutUint32(queue[:], uint32(group))
		binary.BigEndian.PutUint32(queue[4:], uint32(i))
		if err := p.db.Write(ctx, "select peer.deliver($1, $2)", []any{queue, payload}, nil); err != nil {
			return err
		}
	}
	return nil
}
