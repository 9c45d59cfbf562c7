package client

import (
	"context"

	"github.com/pseudods/pseudods/client/identity"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/group"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// PackageNote is the answer of a device that is asked into a group.
func PackageNote(id wire.GroupID, p *mls.KeyPackage, link identity.LinkKey) ([]byte, error) {
	encoded, err := mls.Marshal(p)
	if err != nil {
		return nil, err
	}
	return mls.Marshal(&note{kind: notePackage, group: id, keyPackage: encoded, link: link.Bytes})
}

// Encrypt makes a message with a tag of the caller's choice, or with the right one
// for nil.
func (g *Group) Encrypt(text []byte, tag []byte) ([]byte, error) {
	b, err := mls.Marshal(&content{kind: contentText, id: [contentIDSize]byte(seed(text)), text: text})
	if err != nil {
		return nil, err
	}
	m, err := g.encrypt(b)
	if tag != nil {
		m, err = g.mls.Send(b, group.MessageOptions{AuthenticatedData: tag})
	}
	if err != nil {
		return nil, err
	}
	return mls.Marshal(m)
}

func seed(text []byte) []byte { h := digest(text); return h[:contentIDSize] }

// Bring hands somebody's message to the service.
func (g *Group) Bring(ctx context.Context, message []byte) error {
	_, err := g.call(ctx, wire.OpSendMessage, &wire.GroupMessage{Group: g.id, Message: message})
	return err
}

// OwesHello reports whether the client has still to tell its link key.
func (g *Group) OwesHello() bool {
	g.c.mu.Lock()
	defer g.c.mu.Unlock()
	return g.hello
}
