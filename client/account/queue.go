package account

import (
	"context"
	"errors"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// queueCall is a request that the queue's key signs.
func (a *Account) queueCall(o wire.Operation, body mls.Marshaler, answer mls.Unmarshaler) *Call {
	return a.ownCall(o, body, answer, a.static.queueKey)
}

func (a *Account) ownCall(o wire.Operation, body mls.Marshaler, answer mls.Unmarshaler, key *mls.SignatureKey) *Call {
	return &Call{
		Domain: a.static.domain, Operation: o, Body: body, Answer: answer, Auth: wire.Auth{Type: wire.AuthQueue},
		Sign: func(tbs []byte) ([]byte, error) { return key.SignWithLabel(wire.SignatureLabel, tbs) },
	}
}

// ensureQueue creates the queue if that has not happened yet, or if the service has
// deleted it, as it does when nobody reads for months. Creating it costs tokens, so
// that it is first asked whether it is there.
func (a *Account) ensureQueue(ctx context.Context) error {
	if a.statusNow().queue {
		return nil
	}
	release, err := a.takeTurn(ctx)
	if err != nil {
		return err
	}
	defer release()
	err = a.Call(ctx, a.queueCall(wire.OpReadQueue, &wire.ReadQueue{Queue: a.static.queue(), Max: 1}, nil))
	if errors.Is(err, &wire.Error{Code: wire.CodeNotAllowed}) {
		err = a.createQueue(ctx)
	}
	if err != nil {
		return err
	}
	return a.setStatus(func(s *status) { s.queue = true })
}

// createQueue creates the queue, whose entries are numbered anew. The caller has
// the reader's turn.
func (a *Account) createQueue(ctx context.Context) error {
	if a.reader.cursor > 0 {
		if err := a.save(recordCursor, &cursor{}); err != nil {
			return err
		}
		a.reader.cursor, a.reader.trimmed, a.reader.returned = 0, 0, 0
		a.reader.buffer, a.reader.tickets = nil, nil
	}
	create := &wire.CreateQueue{OwnerKey: [32]byte(a.static.queueKey.Public()), SegmentKey: *a.static.segmentKey.Public()}
	return a.Call(ctx, a.queueCall(wire.OpCreateQueue, create, nil))
}

// Configure changes the settings of the queue, such as where the service calls when
// something arrives, and returns what then holds. Their version is not looked at.
func (a *Account) Configure(ctx context.Context, s wire.QueueSettings) (*wire.QueueSettings, error) {
	for s.Version = uint64(max(1, a.cfg.Now().Unix())); ; {
		answer := new(wire.QueueInfo)
		body := &wire.QueueInfo{Queue: a.static.queue(), Settings: s}
		if err := a.Call(ctx, a.queueCall(wire.OpConfigureQueue, body, answer)); err != nil {
			return nil, err
		}
		if answer.Settings.Version <= s.Version {
			return &answer.Settings, nil
		}
		s.Version = answer.Settings.Version + 1 // this clock is behind that of an earlier change
	}
}
