package bench

import (
	"crypto/rand"
	"runtime"
	"sync"
	"time"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// owner has a queue.
type owner struct {
	signer  *mls.SignatureKey
	segment *seal.PrivateKey
	queue   wire.QueueID
	address wire.AddressID
	secret  secret.Bytes // delivery secret
}

func suite() (*mls.Suite, error) { return mls.X25519AES128GCM.Suite() }

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return b
}

// newOwners creates queues. Their owners share one segment key, which is the same
// work for the service.
func (s *site) newOwners(n int) ([]*owner, error) {
	segment, err := seal.GenerateKey(wire.X25519)
	if err != nil {
		return nil, err
	}
	owners := make([]*owner, n)
	return owners, each(n, 64, func(i int) error {
		o, err := s.newOwner(segment)
		owners[i] = o
		return err
	})
}

func (s *site) newOwner(segment *seal.PrivateKey) (*owner, error) {
	suite, err := suite()
	if err != nil {
		return nil, err
	}
	signer, err := suite.GenerateSignatureKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	o := &owner{signer: signer, segment: segment, queue: wire.QueueIDOf(signer.Public()), address: wire.AddressID(random(16)),
		secret: secret.New(random(seal.DeliverySecretSize))}
	r, err := request(qsDomain, wire.OpCreateQueue, &wire.CreateQueue{OwnerKey: [32]byte(signer.Public()), SegmentKey: *segment.Public()},
		wire.Auth{Type: wire.AuthQueue}, secret.Bytes{}, signer)
	if err != nil {
		return nil, err
	}
	return o, s.callQueue(r, new(wire.QueueInfo))
}

// sealed is the owner's address as others see it.
func (o *owner) sealed(s *site, kind wire.AddressKind, nonce [wire.NonceSizeAddress]byte, group wire.GroupID) (wire.QueueAddress, error) {
	use := seal.Use{}
	if kind == wire.AddressBound {
		use = seal.Use{Domain: dsDomain, Binding: seal.Binding(group[:], nonce)}
	}
	a, err := seal.SealAddress(&s.keys.Published()[0].Key, kind, o.queue, o.address, use)
	if err != nil {
		return wire.QueueAddress{}, err
	}
	return wire.QueueAddress{Domain: qsDomain, Sealed: *a, Nonce: nonce}, nil
}

// request makes and signs a request.
func request(domain string, op wire.Operation, body mls.Marshaler, auth wire.Auth, stateKey secret.Bytes, signer *mls.SignatureKey) (*wire.Request, error) {
	b, err := mls.Marshal(body)
	if err != nil {
		return nil, err
	}
	r := &wire.Request{RecipientDomain: domain, Operation: op, Body: b, GroupStateKey: stateKey,
		ExpiresAt: uint64(time.Now().Add(4 * time.Minute).Unix()), Nonce: [16]byte(random(16)), Auth: auth}
	if auth.Type == wire.AuthNone {
		return r, nil
	}
	tbs, err := r.TBS()
	if err == nil {
		r.Auth.Signature, err = signer.SignWithLabel(wire.SignatureLabel, tbs)
	}
	return r, err
}

// each calls f for 0 to n-1, so many at a time, and returns the first error.
func each(n, workers int, f func(i int) error) error {
	if workers == 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	var wg sync.WaitGroup
	errs := make([]error, workers)
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n && errs[w] == nil; i += workers {
				errs[w] = f(i)
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
