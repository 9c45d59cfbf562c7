package ds

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// errUnproved: a report does not prove what it says. Of what is wrong with it the
// reporter is told nothing: an honest client makes none that is.
var errUnproved = errors.New("ds: report proves nothing")

// doReport checks what a member reports: that this service franked each message in
// this group, not too long ago, for one who had the credential and the signature
// key that the report names; that the tags open to the contents; and that the
// identity link in the credential opens, and is signed for that key by the one whom
// it names. The accused may have left, and is not the reporter's own user.
//
// The report leaves no trace in the group's records and counts for no activity, so
// that neither members nor a copy of the store show that there was one. So no
// nonce is used up either: the same report is taken once whoever makes it, and
// answered alike, so that nobody learns whether another member has reported.
func doReport(r *request) (mls.Marshaler, error) {
	c := &r.service.cfg
	if c.Reports == nil {
		return nil, &wire.Error{Code: wire.CodeUnsupported}
	}
	if r.payment == nil {
		if err := r.limit(r.signer.SignatureKey); err != nil {
			return nil, err
		}
	}
	b := r.body.(*wire.AbuseReport)
	own, err := r.name(r.signer)
	if err != nil {
		return nil, errors.Join(errStore, err)
	}
	if own.User == string(b.Credential.User[:]) {
		return nil, fmt.Errorf("%w: by the accused", errUnproved)
	}
	tags, err := r.proved(b)
	if err != nil {
		return nil, err
	}
	real, err := seal.OpenLink(&b.Credential, b.SignatureKey, seal.LinkKey{Bytes: b.LinkKey})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnproved, err)
	}
	r.report = &Report{ID: reportID(b, tags), Group: b.Group, Client: b.Credential.Client, User: b.Credential.User, Domain: b.Credential.Provider,
		Credential: real.Credential, Key: real.Key, Reason: uint8(b.Reason), Note: b.Note}
	for i := range b.Messages {
		r.report.Messages = append(r.report.Messages, ReportedMessage{Content: b.Messages[i].Content, Day: b.Messages[i].Frank.Day})
	}
	return &wire.Empty{}, nil
}

// proved checks the messages of a report and returns their tags, in order.
func (r *request) proved(b *wire.AbuseReport) ([]wire.FrankingTag, error) {
	c := &r.service.cfg
	credential, err := b.Credential.Credential()
	if err != nil {
		return nil, err
	}
	sender, err := wire.FrankedSender(&credential, b.SignatureKey)
	if err != nil {
		return nil, err
	}
	keys := make([][]byte, len(c.Signers))
	for i, k := range c.Signers {
		keys[i] = k.Public()
	}
	today := uint64(r.day())
	tags := make([]wire.FrankingTag, len(b.Messages))
	for i := range b.Messages {
		m := &b.Messages[i]
		if m.Frank.Day > today || today-m.Frank.Day > uint64(c.ReportDays) {
			return nil, fmt.Errorf("%w: too old, or to come", errUnproved)
		}
		if tags[i], err = seal.TagOf(b.Group, m.Epoch, &wire.FrankedContent{Key: m.Key, Content: m.Content}); err != nil {
			return nil, err
		}
		said := &seal.Franked{Domain: c.Domain, Group: b.Group, Sender: sender, Epoch: m.Epoch, Tag: tags[i]}
		if err := said.Verify(keys, &m.Frank); err != nil {
			return nil, fmt.Errorf("%w: %w", errUnproved, err)
		}
	}
	slices.SortFunc(tags, func(a, b wire.FrankingTag) int { return bytes.Compare(a[:], b[:]) })
	if len(slices.Compact(slices.Clone(tags))) != len(tags) {
		return nil, fmt.Errorf("%w: a message twice", errUnproved)
	}
	return tags, nil
}

// reportID follows from the group, the accused's leaf and the messages: tags name
// them. Neither their order nor the reporter's words count.
func reportID(b *wire.AbuseReport, tags []wire.FrankingTag) ReportID {
	h := sha256.New()
	h.Write([]byte("pseudods 1.0 report"))
	h.Write(b.Group[:])
	h.Write(b.Credential.Client[:])
	for _, t := range tags {
		h.Write(t[:])
	}
	return ReportID(h.Sum(nil))
}

// handIn gives a report that was paid for to those who decide. After a crash in
// between the same request does it.
func (r *request) handIn(ctx context.Context) error {
	if r.report == nil {
		return nil
	}
	err := r.service.cfg.Reports.Take(ctx, r.report)
	if errors.Is(err, ErrReported) {
		return nil
	}
	return err
}
