package bench

import (
	"context"
	"embed"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/storage/postgres"
	"github.com/pseudods/pseudods/storage/postgres/groups"
	"github.com/pseudods/pseudods/storage/postgres/ledger"
	"github.com/pseudods/pseudods/storage/postgres/pgserver"
	"github.com/pseudods/pseudods/storage/postgres/queues"
	"github.com/pseudods/pseudods/tokens"
)

//go:embed peer
var peerFiles embed.FS

// peerSchema is what the baselines on PostgreSQL have in the database.
var peerSchema = postgres.Schema{Name: "peer", Migrations: peerFiles}

// conns are the connections of a store: as many as a dispatcher has workers, and
// some for the senders.
const conns = 24

// serverSettings are those that docs/operations.md advises, for a small machine.
// What is answered is durable.
var serverSettings = []string{"shared_buffers=1GB", "max_wal_size=8GB", "checkpoint_timeout=15min", "wal_compression=on"}

// pgServer is a PostgreSQL server that this program started, or one that is given.
type pgServer struct {
	*pgserver.Server        // nil if url is given
	url              string // of the one database of a server that is given
	databases        atomic.Int64
}

func startServer(o *Options) (*pgServer, error) {
	if o.Postgres != "" {
		return &pgServer{url: o.Postgres}, nil
	}
	s, err := pgserver.Start(o.Dir, serverSettings...)
	if err != nil {
		return nil, err
	}
	return &pgServer{Server: s}, nil
}

func (s *pgServer) close() error {
	if s.Server == nil {
		return nil
	}
	return s.Remove()
}

// processor is the time that the server has used, as far as it can be told.
func (s *pgServer) processor() time.Duration {
	if s.Server == nil {
		return 0
	}
	return s.Processor()
}

// database makes an empty one. What earlier ones left in a server that is given is
// of other queues and groups.
func (s *pgServer) database() (url, name string, err error) {
	if s.Server == nil {
		return s.url, "", nil
	}
	name = fmt.Sprint("bench", s.databases.Add(1))
	return s.URL(name, pgserver.Superuser), name, s.Exec("postgres", "create database "+name)
}

// postgresEngine keeps stores in databases of a server.
type postgresEngine struct{ *pgServer }

func (postgresEngine) name() string { return "postgres" }

func (e postgresEngine) newPlace(dir string) (place, error) {
	url, name, err := e.database()
	return &postgresPlace{server: e.pgServer, dir: dir, url: url, database: name}, err
}

type postgresPlace struct {
	server             *pgServer
	dir, url, database string
	shards             []string // databases behind a router, which is set up
	dbs                []io.Closer
}

func (p *postgresPlace) open(schemas ...postgres.Schema) (*postgres.DB, error) {
	ctx, cfg := context.Background(), postgres.Config{URL: p.url, MaxConns: conns}
	if p.shards == nil {
		if err := postgres.Migrate(ctx, cfg, schemas...); err != nil {
			return nil, err
		}
	}
	db, err := postgres.Open(ctx, cfg, schemas...)
	if err == nil {
		p.dbs = append(p.dbs, db)
	}
	return db, err
}

func (p *postgresPlace) newSite() (*site, error) {
	groupDB, err := p.open(groups.Schema)
	if err != nil {
		return nil, err
	}
	queueDB, err := p.open(queues.Schema)
	if err != nil {
		return nil, err
	}
	store, err := queues.New(queueDB, secret.New(random(queues.WakeKeySize)))
	if err != nil {
		return nil, err
	}
	s := &site{}
	return s, s.serve(p.dir, groups.New(groupDB), store)
}

func (p *postgresPlace) newLedger(key tokens.NullifierKey) (tokens.Ledger, error) {
	db, err := p.open(postgres.FenceSchema, ledger.Schema)
	if err != nil {
		return nil, err
	}
	l, err := ledger.Open(context.Background(), ledger.Config{DB: db, Fence: filepath.Join(p.dir, "fence"), Key: key})
	if err != nil {
		return nil, err
	}
	p.dbs = append([]io.Closer{l}, p.dbs...)
	return l, nil
}

func (p *postgresPlace) close() (err error) {
	for _, db := range p.dbs {
		err = errors.Join(err, db.Close())
	}
	p.dbs = nil
	return err
}

// size vacuums, and counts tables with their indices and what they hold apart.
func (p *postgresPlace) size(store string) (octets int64, err error) {
	if store == "ledger" {
		store = ledger.Schema.Name
	}
	if p.database == "" {
		return 0, errors.New("the size of stores is measured in servers that this program starts")
	}
	for _, database := range append([]string{p.database}, p.shards...) {
		if err := p.server.Exec(database, "vacuum"); err != nil {
			return 0, err
		}
		var part int64
		err := p.server.Query(database, `select coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint from pg_class c
			join pg_namespace n on n.oid = c.relnamespace where c.relkind in ('r', 'm') and n.nspname = '`+store+`'`, &part)
		if err != nil {
			return 0, err
		}
		octets += part
	}
	return octets, nil
}

// postgresPeer delivers as the usual service on PostgreSQL does.
type postgresPeer struct {
	db *postgres.DB
	*sealer
}

// newPostgresPeer has groups of which a blob is stored.
func newPostgresPeer(ctx context.Context, p *postgresPlace, blobs [][]byte) (*postgresPeer, error) {
	db, err := p.open(peerSchema)
	if err != nil {
		return nil, err
	}
	sealer, err := newSealer()
	if err != nil {
		return nil, err
	}
	peer := &postgresPeer{db, sealer}
	for group, blob := range blobs {
		if err := peer.save(ctx, group, blob); err != nil {
			return nil, err
		}
	}
	return peer, nil
}

// copies is a transaction for each recipient, which takes the queue's next number,
// stores the copy and notifies.
func (p *postgresPeer) copies(ctx context.Context, group, recipients int, payload []byte) error {
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

func (p *postgresPeer) save(ctx context.Context, group int, blob []byte) error {
	return p.db.Write(ctx, "select peer.save($1, $2)", []any{int32(group), p.seal(blob)}, nil)
}

// message opens and seals the group's blob, and then delivers copies.
func (p *postgresPeer) message(ctx context.Context, group, recipients int, payload []byte) error {
	var sealed []byte
	if err := p.db.Read(ctx, "select peer.load($1)", []any{int32(group)}, postgres.One(&sealed)); err != nil {
		return err
	}
	blob, err := p.open(sealed)
	if err != nil {
		return err
	}
	if err := p.save(ctx, group, blob); err != nil {
		return err
	}
	return p.copies(ctx, group, recipients, payload)
}
