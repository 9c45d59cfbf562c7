package ds

import (
	"context"
	"fmt"

	"github.com/pseudods/pseudods/pseudods/wire"
)

// Retained is a message of a group of the identified profile, as its members get
// it: what organisations that must keep what is said are given to keep.
// Application messages are encrypted to the members.
type Retained struct {
	Group wire.GroupID
	// Account is the sender's, followed by "@" and its provider. Empty for what
	// the service itself proposes.
	Account string
	Kind    wire.FanoutKind
	Message []byte
}

// keep has a message retained before it is sent.
func (r *request) keep(m *wire.Fanout) error {
	if r.policy.Profile != wire.ProfileIdentified || r.service.cfg.Retain == nil {
		return nil
	}
	account, err := r.account()
	if err != nil {
		return err
	}
	r.retained = append(r.retained, Retained{r.group.id, account, m.Kind, m.Message})
	return nil
}

// account is that of the member whose request it is.
func (r *request) account() (string, error) {
	if r.tends {
		return "", nil
	}
	leaf, err := r.leafAfter(r.actor())
	if err != nil {
		return "", err
	}
	name, err := r.name(leaf)
	if err != nil {
		return "", err
	}
	return name.User, nil
}

// retain tells of the request's messages. If it fails, nothing is sent.
func (r *request) retain(ctx context.Context) error {
	for _, m := range r.retained {
		if err := r.service.cfg.Retain(ctx, m); err != nil {
			return fmt.Errorf("ds: retaining: %w", err)
		}
	}
	return nil
}
