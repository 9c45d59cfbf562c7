package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/httpapi"
	"github.com/pseudods/pseudods/pseudods/qs"
	"github.com/pseudods/pseudods/pseudods/qs/addresskeys"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/storage/badger"
	"github.com/pseudods/pseudods/storage/badger/groups"
	"github.com/pseudods/pseudods/storage/badger/queues"
)

const (
	dsDomain = "ds.example"
	qsDomain = "qs.example"
)

// site is a delivery service and a queue service, each on a store of its own on
// disk, in one process and free of charge, with the dispatcher between them.
type site struct {
	ds     *ds.Service
	qs     *qs.Service
	store  qs.Store // of qs
	keys   *addresskeys.Ring
	groups *countingStore
	dbs    []io.Closer
	over   *httpapi.Client // by which messages are sent; nil: directly

	delivered, failed atomic.Int64 // recipients
	stop              func()
}

// deliverer hands deliveries over in process, as the interface over HTTP would.
type deliverer struct{ *site }

func (d deliverer) Deliver(ctx context.Context, _ string, m *wire.Delivery) (wire.DeliveryReport, error) {
	return d.qs.Deliver(ctx, dsDomain, m)
}

// gratis takes no tokens and wants none.
type gratis struct{}

func (gratis) Verify(wire.Operation, [][]byte) (ds.Payment, error) { return nil, nil }

func (gratis) Pay(context.Context, wire.Operation, [][]byte, [32]byte) error { return nil }

// newSite opens a site in an empty directory.
func newSite(dir string) (*site, error) {
	s := &site{}
	open := func(name string, f badger.Format) (*badger.DB, error) {
		db, err := badger.Open(badger.Config{Dir: filepath.Join(dir, name), Format: f})
		if err == nil {
			s.dbs = append(s.dbs, db)
		}
		return db, err
	}
	groupDB, err := open("groups", groups.Format)
	if err != nil {
		return nil, err
	}
	queueDB, err := open("queues", queues.Format)
	if err != nil {
		return nil, errors.Join(err, s.closeStores())
	}
	store, err := queues.New(context.Background(), queueDB)
	if err == nil {
		err = s.serve(dir, groups.New(groupDB), store)
	}
	if err != nil {
		return nil, errors.Join(err, s.closeStores())
	}
	return s, nil
}

func (s *site) serve(dir string, groups ds.Store, store qs.Store) (err error) {
	if s.keys, err = addresskeys.Open(addresskeys.Config{Dir: filepath.Join(dir, "keys")}, time.Now()); err != nil {
		return err
	}
	s.qs, err = qs.New(qs.Config{Domain: qsDomain, Store: store, Keys: s.keys, Payments: gratis{}, MaxEntries: 1 << 30, MaxBytes: 1 << 40})
	if err != nil {
		return err
	}
	s.store, s.groups = store, &countingStore{Store: groups}
	unlimited := ds.Limit{Every: time.Nanosecond, Burst: 1 << 30}
	var dispatcher *ds.Dispatcher
	suite, err := mls.X25519AES128GCM.Suite() // of those with Ed25519
	if err != nil {
		return err
	}
	signer, err := suite.GenerateSignatureKey(rand.Reader)
	if err != nil {
		return err
	}
	s.ds, err = ds.New(ds.Config{Domain: dsDomain, Store: s.groups, Key: secret.New(make([]byte, ds.KeySize)), Payments: gratis{},
		Signers: []*mls.SignatureKey{signer}, MaxMembers: maxMembers, MaxRequest: 4 << 20, PerGroup: unlimited, PerLeaf: unlimited, Wake: func(refs []ds.Ref) { dispatcher.Wake(refs) }})
	if err != nil {
		return err
	}
	workers := 0 // the default; countingStore hides that a store is shared
	if _, ok := groups.(ds.Shared); ok {
		workers = 16
	}
	dispatcher = ds.NewDispatcher(s.ds, deliverer{s}, ds.DispatcherConfig{Workers: workers, Report: s.report})
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { dispatcher.Run(ctx) })
	s.stop = func() { cancel(); wg.Wait() }
	return nil
}

// maxMembers is the largest group that the delivery service takes.
const maxMembers = 10_240

func (s *site) report(outcomes map[wire.Outcome]int) {
	for o, n := range outcomes {
		if o == wire.Delivered {
			s.delivered.Add(int64(n))
		} else {
			s.failed.Add(int64(n))
		}
	}
}

// await waits until so many recipients were served since the beginning.
func (s *site) await(ctx context.Context, n int64) error {
	for s.delivered.Load() < n {
		if s.failed.Load() > 0 {
			return errors.New("a delivery failed")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Microsecond):
		}
	}
	return nil
}

// accept has the delivery service accept a message.
func (s *site) accept(encoded []byte) error {
	if s.over != nil {
		_, err := s.over.Do(context.Background(), wire.OpSendMessage, encoded)
		return err
	}
	return s.call(encoded, new(wire.Accepted))
}

// settle waits until nothing waits in the outbox.
func (s *site) settle(ctx context.Context) error {
	for {
		waiting, err := s.groups.Waiting(ctx, ds.Ref{}, 1)
		if err != nil || len(waiting) == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (s *site) closeStores() (err error) {
	for _, db := range s.dbs {
		err = errors.Join(err, db.Close())
	}
	return err
}

func (s *site) close() error {
	s.stop()
	s.qs.Close()
	return s.closeStores()
}

// call has the delivery service answer an encoded request.
func (s *site) call(encoded []byte, out mls.Unmarshaler) error {
	var response wire.Response
	if err := mls.Unmarshal(s.ds.Handle(context.Background(), encoded), &response); err != nil {
		return err
	}
	if response.Err != nil {
		return response.Err
	}
	return mls.Unmarshal(response.Body, out)
}

// callQueue has the queue service answer a request.
func (s *site) callQueue(r *wire.Request, out mls.Unmarshaler) error {
	encoded, err := mls.Marshal(r)
	if err != nil {
		return err
	}
	answer, err := s.qs.Handle(context.Background(), r, wire.Digest(encoded))
	if err != nil || out == nil {
		return err
	}
	return mls.Unmarshal(answer, out)
}
