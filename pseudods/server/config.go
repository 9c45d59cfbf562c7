package server

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/privacypass/issuer/host"
	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/storage/postgres"
	"github.com/pseudods/pseudods/tokens"
)

// Role is a part of a provider that a server may run.
type Role string

// The roles.
const (
	DS     Role = "ds"
	QS     Role = "qs"
	Issuer Role = "issuer"
)

// Roles are all roles, in the order in which a server starts them.
var Roles = []Role{Issuer, QS, DS}

// Config says what a server is. Its JSON form is the configuration file: one
// object, in which unknown members are errors. A zero value means the default.
// Paths are relative to the working directory.
type Config struct {
	// Domain names the provider in credentials, requests and tokens. Default
	// "localhost".
	Domain string `json:"domain"`
	// Roles that run here. Default: all.
	Roles []Role `json:"roles"`
	// Data is the directory of everything that has no place of its own. Default
	// "pseudods-data".
	Data string `json:"data"`
	// Listen is the address of all roles that have none of their own. Without TLS
	// it must be on loopback. Default "127.0.0.1:8060".
	Listen string `json:"listen"`
	// AdminListen is the address of metrics and health, on loopback. Default
	// "127.0.0.1:8061".
	AdminListen string `json:"admin_listen"`
	// TLS is for all listeners but the admin's. The files are read again when they
	// change.
	TLS *daemon.TLS `json:"tls"`
	// MaxConnections is how many connections each address but the admin's has open
	// at most. Default [daemon.MaxConnections].
	MaxConnections int `json:"max_connections"`
	// URL is what the outside reaches Listen by. Default: the address itself.
	URL string `json:"url"`
	// DrainDelay is how long the server goes on serving after it was told to stop,
	// while it reports that it is not ready.
	DrainDelay daemon.Duration `json:"drain_delay"`
	// MinFree is the free disk space, in octets, below which nothing is stored.
	// Default 512 MiB.
	MinFree uint64 `json:"min_free"`
	// StorageKey is a file with 32 octets in base64url that the embedded stores are
	// encrypted with from their making on. Empty: they are in clear.
	StorageKey string `json:"storage_key"`

	// Prices are the token classes and what operations cost: see DefaultPrices,
	// the default. A class buys operations of one role only.
	Prices *tokens.PriceList `json:"prices"`
	// Scope is empty, or 32 octets (base64) in the challenges of tokens: see
	// tokens.Origin.
	Scope []byte `json:"scope"`
	// TokenKeys is the directory with the issuer's keys, or a copy of it that is
	// refreshed at least once in a lead of their schedule. Default: that of the
	// issuer in Data.
	TokenKeys string `json:"token_keys"`
	// TokenDirectories are the URLs of the directories (RFC 9578, Section 4) of
	// classes whose issuer is elsewhere, by class. Their tokens are of type 0x0002,
	// which verify with public keys.
	TokenDirectories map[string]string `json:"token_directories"`
	// TokenCapacity is how many tokens the issuer makes at most with one key.
	// Default 100 million.
	TokenCapacity uint64 `json:"token_capacity"`

	DS     DSConfig     `json:"ds"`
	QS     QSConfig     `json:"qs"`
	Issuer IssuerConfig `json:"issuer"`
	// Moderation says what becomes of reports of abuse, where the delivery service
	// runs.
	Moderation ModerationConfig `json:"moderation"`

	// Peers are the providers that this one exchanges messages with: their domain,
	// and the URL below which their provider document is.
	Peers map[string]string `json:"peers"`

	// Push is the gateway that wakes devices. Nil for none.
	Push *PushConfig `json:"push"`

	// AcceptRestored says that the operator accepts allowances of the issuer from an
	// older copy: accounts can get again what they got since.
	AcceptRestored bool `json:"-"`
	// Logger gets what an operator should know. It is told no identifier. Default:
	// none.
	Logger *slog.Logger `json:"-"`
	// Registry takes the metrics. Default: one of its own.
	Registry *prometheus.Registry `json:"-"`
}

// Place is where a role is.
type Place struct {
	// Listen is the role's own address. Default: that of the server.
	Listen string `json:"listen"`
	// URL is what the outside reaches the role by, here or elsewhere. Default: that
	// of the listener.
	URL string `json:"url"`
	// Dir is the role's directory: stores, fences and keys. Default: the role's
	// name in Data.
	Dir string `json:"dir"`
}

// Private is where a role keeps what does not belong beside its stores.
type Private struct {
	// Keys is the directory of the role's secrets. Default "keys" in Dir.
	Keys string `json:"keys"`
	// Fences is the directory of the small files by which stores that were put back
	// from older copies are recognised. Default "fences" in Dir; another disk is
	// better.
	Fences string `json:"fences"`
	// Database is where the role's stores are if they are not in Dir: in PostgreSQL,
	// which several servers may share. Each has a directory of fences of its own, and
	// all the same keys.
	Database postgres.Settings `json:"database"`
}

// DSConfig configures the delivery service. The limits are those of ds.Config.
type DSConfig struct {
	Place
	Private
	// Profiles are those of the groups that are served: "pseudonymous",
	// "identified". Default: the first alone.
	Profiles   []string `json:"profiles"`
	MaxMembers uint32   `json:"max_members"`
	MaxMessage int      `json:"max_message"`
	PerGroup   Rate     `json:"per_group"`
	PerLeaf    Rate     `json:"per_leaf"`
	IdleDays   int      `json:"idle_days"`
	ReportDays int      `json:"report_days"`
	// Workers deliver to each queue service at a time. Default 64, and 16 with stores in
	// PostgreSQL.
	Workers int `json:"workers"`
	// Retain is that of ds.Config, for programs of organisations that must keep
	// what is said.
	Retain func(context.Context, ds.Retained) error `json:"-"`
}

// Rate is one request each Every, and Burst of them at once.
type Rate struct {
	Every daemon.Duration `json:"every"`
	Burst int             `json:"burst"`
}

// QSConfig configures the queue service. The limits are those of qs.Config.
type QSConfig struct {
	Place
	Private
	Mix        daemon.Duration `json:"mix"`
	MaxEntries uint32          `json:"max_entries"`
	MaxBytes   uint64          `json:"max_bytes"`
	MaxTTLDays uint16          `json:"max_ttl_days"`
	IdleDays   uint16          `json:"idle_days"`
	MaxWait    daemon.Duration `json:"max_wait"`
	MaxReaders int             `json:"max_readers"`
}

// IssuerConfig configures the issuer. Its keys are in Dir too, since they must be
// where package host keeps them; TokenKeys lets other roles read them.
type IssuerConfig struct {
	Place
	host.Config
}
