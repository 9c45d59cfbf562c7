package ds

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/mls/publicgroup"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// Payments verifies and spends what operations cost.
type Payments interface {
	// Verify checks the tokens of a request and touches no store. It returns nil
	// for an operation that is free and comes without tokens. Its errors are
	// [wire.Error]s.
	Verify(op wire.Operation, tokens [][]byte) (Payment, error)
}

// Payment is what was verified for one request.
type Payment interface {
	// Spend binds the tokens to the request with this digest, durably. It
	// succeeds again for the same request. Its errors are [wire.Error]s.
	Spend(ctx context.Context, request [32]byte) error
}

// Limit is a rate: one request each Every, and Burst of them at once. The zero
// Limit means the default.
type Limit struct {
	Every time.Duration
	Burst int
}

// maxMembers is the largest [Config.MaxMembers]: what is sent to as many fits
// [MaxBatch].
const maxMembers = 10_240

// KeySize is the size of [Config.Key] in octets.
const KeySize = 32

// Config of a [Service]. Domain, Store, Key and Payments must be set; a zero
// value elsewhere means the default.
type Config struct {
	// Domain is the one that requests must name as their recipient.
	Domain string
	Store  Store
	// Key seals messages on their way and what else is stored of requests. Only
	// nodes that serve need it. It must not change while messages wait.
	Key      secret.Bytes
	Payments Payments

	// Restored is how often the store was replaced by an older copy of itself.
	// It must grow each time: it keeps the numbers of later messages above
	// those that queue services have seen.
	Restored uint16

	// Profiles are those of the groups that are served. Default: the pseudonymous
	// one alone. A group of another is refused, and never taken for one of these.
	Profiles []wire.Profile

	// Retain is given each message of a group of the identified profile, and of no
	// other, before it is stored. The same one may come again, and one that is
	// then not sent. If it fails the request is refused. Nil retains nothing.
	Retain func(context.Context, Retained) error

	// Signers are the Ed25519 keys by which the service franks messages, and signs
	// what it proposes to groups that name one of them in their external_senders.
	// The first is used for what is new; others stay for groups that name them and
	// for reports of messages that they franked. Without any the service franks
	// and proposes nothing.
	Signers []*mls.SignatureKey

	// Reports takes reports of abuse. Nil refuses them as [wire.CodeUnsupported].
	Reports Reports

	// ReportDays is for how many days after it was sent a message may be reported.
	// Default 30.
	ReportDays int

	// IdleDays is after how many days without a request a member is proposed to
	// be removed, in groups that name the service among their external senders.
	// Default 90; negative for never.
	IdleDays int

	// MaxMembers of a group. Default 1024, at most 10,240. A message to a group is
	// one batch of the store, with some 230 octets for each member whose address
	// has an X25519 key.
	MaxMembers uint32
	// MaxRequest is the longest request in octets. Default 512 KiB, or what a
	// commit to MaxMembers members takes of whom none has committed yet, if that
	// is more: 128 octets for each.
	MaxRequest int
	// MaxMessage is the longest application message in octets. Default 128 KiB.
	MaxMessage int
	// MaxAhead is how far in the future a request may expire. Default 5 min.
	MaxAhead time.Duration
	// PerGroup and PerLeaf limit requests that change something and were not
	// paid for. What a user signs, such as a rejoin, is limited as a leaf is.
	// Default 20 a second with a burst of 200, and 2 a second with a
	// burst of 40.
	PerGroup, PerLeaf Limit
	// MaxLifetime is the longest lifetime of a KeyPackage that is added. Default
	// 180 days.
	MaxLifetime time.Duration

	// Wake is told where messages wait, after they are durable. It must not
	// block. [Dispatcher.Wake] is one. Nil for none.
	Wake func([]Ref)

	// Now and Rand are for tests.
	Now  func() time.Time
	Rand io.Reader
}

func orDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

func (c *Config) validate() error {
	if c.Domain == "" || c.Store == nil || c.Payments == nil || c.Key.Len() != KeySize {
		return errors.New("ds: Domain, Store, Payments and a Key of 32 octets must be set")
	}
	for _, k := range c.Signers {
		if len(k.Public()) != ed25519.PublicKeySize {
			return errors.New("ds: a signer is not an Ed25519 key")
		}
	}
	if c.Profiles == nil {
		c.Profiles = []wire.Profile{wire.ProfilePseudonymous}
	}
	orDefault(&c.ReportDays, 30)
	orDefault(&c.IdleDays, 90)
	orDefault(&c.MaxMembers, 1024)
	orDefault(&c.MaxRequest, max(512<<10, int(min(c.MaxMembers, maxMembers))*128))
	orDefault(&c.MaxMessage, 128<<10)
	orDefault(&c.MaxAhead, 5*time.Minute)
	orDefault(&c.PerGroup, Limit{50 * time.Millisecond, 200})
	orDefault(&c.PerLeaf, Limit{500 * time.Millisecond, 40})
	orDefault(&c.MaxLifetime, 180*24*time.Hour)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.MaxMembers > maxMembers || c.ReportDays < 0 || c.MaxRequest < 0 || c.MaxMessage < 0 || c.MaxAhead < 0 || c.PerGroup.Every < 0 || c.PerLeaf.Every < 0 ||
		c.PerGroup.Burst < 1 || c.PerLeaf.Burst < 1 || c.Restored >= 1<<14 {
		return errors.New("ds: a limit is out of range")
	}
	return nil
}

// serves reports whether groups of a profile are served.
func (c *Config) serves(p wire.Profile) bool { return slices.Contains(c.Profiles, p) }

// group returns what is to be enforced in a group of the given policy.
func (c *Config) group(p *wire.GroupPolicy) publicgroup.Config {
	most := c.MaxMembers
	if p.MaxMembers != 0 {
		most = min(most, p.MaxMembers)
	}
	return publicgroup.Config{
		MaxMembers: most, MaxMessage: c.MaxRequest, MaxLifetime: c.MaxLifetime,
		ExternalJoins: true, CoverRemovals: true, Rules: &rules, CheckLeaf: leafCheck(p),
	}
}
