package abuse

import (
	"bytes"
	"context"
	"time"

	"github.com/pseudods/pseudods/client"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/wire"
)

var oracleProbing = Scenario{
	Name: "oracle-probing", Models: []string{"S40"},
	Attacker: "each account, which belongs to no group and knows nobody, asks every second for something of a group, a queue and a pool that exist, and for the same of ones that do not, and compares the answers octet by octet; how long they take it does not measure",
	Load:     "two people write to each other every ten seconds",
	Effect:   "a pair of answers that tells what exists",
	Control:  "a service that says what it has not found",
	Sessions: 1, Window: 5 * time.Minute, Quick: 30 * time.Second,
	Play: playOracle,
}

func playOracle(ctx context.Context, w *World) error {
	alice, bob, err := w.pair(ctx)
	if err != nil {
		return err
	}
	g, err := alice.Found(ctx, client.GroupOptions{}, []*Person{bob})
	if err != nil {
		return err
	}
	card, err := alice.Client.Account().Card()
	if err != nil {
		return err
	}
	extra, err := w.extras(ctx, 1)
	if err != nil {
		return err
	}
	there := existing{g.ID(), extra[0].queue, card.Pools[0]}
	if _, err := w.converse(g.ID(), alice, bob, 10*time.Second); err != nil {
		return err
	}
	insiders, err := w.insiders(ctx)
	if err != nil {
		return err
	}
	for _, i := range insiders {
		w.Attack(func(ctx context.Context) error {
			return w.Daily(ctx, func(ctx context.Context) error {
				return i.every(ctx, time.Second, func() error {
					nowhere := existing{wire.GroupID(random(wire.GroupIDSize)), wire.QueueID(random(len(wire.QueueID{}))), wire.PoolID(random(len(wire.PoolID{})))}
					for n := range probes {
						var answers [2][]byte
						for k, e := range []existing{there, nowhere} {
							r, err := i.probe(ctx, n, e)
							if err != nil {
								return err
							}
							if answers[k], err = i.carry(ctx, w.Home, r); err != nil {
								return err
							}
						}
						if w.Control {
							answers[1] = refusal(&wire.Error{Code: wire.CodeInternal})
						}
						if !bytes.Equal(answers[0], answers[1]) && !limited(answers[:]) {
							w.Effect(1)
						}
					}
					return nil
				})
			})
		})
	}
	return w.Run()
}

// existing is what an attacker asks about.
type existing struct {
	group wire.GroupID
	queue wire.QueueID
	pool  wire.PoolID
}

// probes is how many kinds of requests there are to tell what exists.
const probes = 5

// probe asks for something of what may exist, without any right to it.
func (i *Insider) probe(ctx context.Context, n int, e existing) ([]byte, error) {
	key := secret.New(random(wire.GroupStateKeySize))
	var (
		op   wire.Operation
		body mls.Marshaler
		auth wire.Auth
	)
	switch n {
	case 0:
		op, body = wire.OpExternalCommitInfo, &wire.GroupQuery{Group: e.group}
	case 1:
		op, body, auth = wire.OpSendMessage, &wire.GroupMessage{Group: e.group, Message: random(100)}, wire.Auth{Type: wire.AuthLeaf}
	case 2:
		op, body, key, auth = wire.OpReadQueue, &wire.ReadQueue{Queue: e.queue}, secret.Bytes{}, wire.Auth{Type: wire.AuthQueue}
	case 3:
		op, body, key, auth = wire.OpAckQueue, &wire.AckQueue{Queue: e.queue}, secret.Bytes{}, wire.Auth{Type: wire.AuthQueue}
	default:
		op, body, key = wire.OpGroupPackages, &wire.FetchKeyPackage{Pool: e.pool}, secret.Bytes{}
	}
	paid, err := i.Pay(ctx, op)
	if err != nil {
		return nil, err
	}
	return i.Compose(op, body, auth, key, i.MLS.Signer, paid)
}

// limited reports whether one of the answers says to wait, or that it had no room.
func limited(answers [][]byte) bool {
	for _, b := range answers {
		var r wire.Response
		if mls.Unmarshal(b, &r) == nil && r.Err != nil && r.Err.Code == wire.CodeRateLimited {
			return true
		}
	}
	return false
}
