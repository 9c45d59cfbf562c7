package archtest

// DO NOT RELAX these tables to make a build pass. Each line is a decision about
// who may know what; a new edge needs its reason in docs/design.md.

// internalImports: package <- packages of this module it may import, tests
// aside. What is not listed is forbidden, what is listed and not used is stale.
const internalImports = `
bench                          <- internal/secret mls mls/epoch mls/publicgroup mls/tree privacypass privacypass/client \
                                  privacypass/issuer privacypass/verify privacypass/verify/private pseudods/ds pseudods/httpapi pseudods/qs \
                                  pseudods/qs/addresskeys pseudods/seal pseudods/wire storage/badger storage/badger/groups \
                                  storage/badger/ledger storage/badger/queues storage/postgres storage/postgres/groups \
                                  storage/postgres/ledger storage/postgres/pgserver storage/postgres/queues tokens
bench/abuse                    <- client client/account client/identity client/vault internal/secret internal/tlscodec mls mls/group privacypass \
                                  privacypass/attester privacypass/client privacypass/client/httpapi privacypass/issuer/httpapi \
                                  privacypass/keyring privacypass/verify privacypass/verify/private pseudods/ds pseudods/httpapi \
                                  pseudods/moderation pseudods/qs pseudods/qs/addresskeys pseudods/seal pseudods/server pseudods/wire storage/storagetest \
                                  storage/storagetest/grouptest storage/storagetest/queuetest storage/storagetest/reporttest tokens
bench/crash                    <- client client/account client/vault deploy/patroni internal/balance internal/daemon internal/secret mls privacypass/client/httpapi pseudods/httpapi pseudods/wire \
                                  storage/postgres/pgserver
bench/link                     <- bench/link/snapshot pseudods/seal
bench/link/snapshot            <- client client/account client/vault internal/daemon internal/secret privacypass/attester \
                                  privacypass/client/httpapi privacypass/issuer/host pseudods/server pseudods/wire storage/badger storage/storagetest
client                         <- client/account client/identity client/vault internal/secret internal/tlscodec mls mls/epoch mls/group pseudods/seal pseudods/wire
client/account                 <- client/identity client/vault client/wallet internal/secret internal/tlscodec mls mls/group \
                                  privacypass privacypass/attester privacypass/client/httpapi pseudods/httpapi pseudods/seal \
                                  pseudods/wire tokens
client/identity                <- internal/secret internal/tlscodec mls pseudods/seal pseudods/wire
client/vault                   <- internal/filelock internal/secret pseudods/seal
client/wallet                  <- internal/filelock internal/secret internal/tlscodec privacypass privacypass/client tokens
cmd/pdsbench                   <- internal/command bench bench/abuse bench/crash bench/link bench/report
cmd/pseudo                     <- client client/account client/vault client/wallet internal/secret privacypass/attester \
                                  privacypass/client/httpapi pseudods/httpapi pseudods/wire
cmd/ppissuer                   <- internal/command internal/daemon internal/secret privacypass privacypass/attester privacypass/attester/oidc \
                                  privacypass/attester/webhook privacypass/client privacypass/client/httpapi privacypass/issuer/host privacypass/keyring \
                                  privacypass/verify privacypass/verify/private
cmd/pseudods                   <- internal/command internal/daemon privacypass/attester privacypass/keyring pseudods/demo pseudods/moderation pseudods/seal \
                                  pseudods/server pseudods/wire storage/backup storage/badger storage/move storage/postgres
internal/daemon                <- internal/secret
mls                            <- internal/secret internal/tlscodec
mls/epoch                      <- mls mls/tree
mls/group                      <- internal/secret internal/tlscodec mls mls/epoch mls/tree
mls/publicgroup                <- internal/tlscodec mls mls/epoch mls/tree
mls/tree                       <- internal/secret internal/tlscodec mls
privacypass                    <- internal/tlscodec
privacypass/attester           <- internal/secret internal/tlscodec privacypass
privacypass/attester/oidc      <- privacypass/attester
privacypass/attester/storetest <- privacypass/attester
privacypass/attester/webhook   <- internal/secret privacypass/attester
privacypass/client             <- internal/secret internal/tlscodec privacypass privacypass/internal/rsapss \
                                  privacypass/internal/voprf
privacypass/client/httpapi     <- privacypass privacypass/attester privacypass/client
privacypass/issuer             <- internal/secret privacypass privacypass/internal/rsapss privacypass/internal/voprf
privacypass/issuer/host        <- internal/daemon internal/secret privacypass privacypass/attester privacypass/attester/oidc \
                                  privacypass/attester/webhook privacypass/issuer/httpapi privacypass/keyring storage/backup storage/badger \
                                  storage/badger/allowances storage/postgres storage/postgres/allowances
privacypass/issuer/httpapi     <- privacypass privacypass/attester privacypass/issuer privacypass/keyring
privacypass/keyring            <- internal/filelock internal/secret privacypass privacypass/issuer
privacypass/verify             <- privacypass privacypass/internal/rsapss
privacypass/verify/private     <- internal/secret privacypass privacypass/internal/voprf privacypass/verify
pseudods/audit                 <- internal/secret storage/badger
pseudods/demo                  <- client client/account client/vault internal/daemon internal/secret privacypass/attester \
                                  privacypass/client/httpapi privacypass/issuer/host pseudods/audit pseudods/httpapi \
                                  pseudods/moderation pseudods/server pseudods/wire
pseudods/desk                  <- privacypass pseudods/wire tokens
pseudods/ds                    <- internal/secret internal/tlscodec mls mls/epoch mls/publicgroup mls/tree pseudods/desk \
                                  pseudods/ds/atrest pseudods/seal pseudods/wire tokens
pseudods/ds/atrest             <- internal/secret internal/tlscodec
pseudods/httpapi               <- mls pseudods/wire tokens
pseudods/moderation            <- internal/secret internal/tlscodec mls privacypass/attester privacypass/attester/webhook pseudods/ds \
                                  pseudods/seal pseudods/wire
pseudods/qs                    <- internal/tlscodec mls pseudods/desk pseudods/qs/addresskeys pseudods/seal pseudods/wire tokens
pseudods/qs/addresskeys        <- internal/filelock internal/secret pseudods/seal pseudods/wire
pseudods/seal                  <- internal/secret internal/tlscodec mls pseudods/wire
pseudods/wire                  <- internal/secret internal/tlscodec mls
pseudods/server                <- internal/daemon internal/secret mls privacypass privacypass/attester privacypass/attester/webhook \
                                  privacypass/issuer/host privacypass/keyring privacypass/verify privacypass/verify/private \
                                  pseudods/ds pseudods/httpapi pseudods/moderation pseudods/qs pseudods/qs/addresskeys pseudods/seal pseudods/wire \
                                  storage/backup storage/badger storage/badger/allowances storage/badger/groups storage/badger/ledger \
                                  storage/badger/queues storage/badger/reports storage/move storage/postgres storage/postgres/allowances \
                                  storage/postgres/groups storage/postgres/ledger storage/postgres/queues \
                                  storage/postgres/reports tokens
storage/backup                 <- internal/tlscodec
storage/badger                 <- internal/filelock internal/secret internal/tlscodec storage/backup storage/fence storage/move
storage/badger/allowances      <- internal/tlscodec privacypass/attester storage/badger storage/move
storage/badger/badgertest      <- storage/badger storage/storagetest storage/storagetest/faults
storage/badger/groups          <- pseudods/ds pseudods/wire storage/badger storage/move
storage/badger/ledger          <- internal/secret internal/tlscodec privacypass privacypass/verify storage/backup storage/badger storage/move tokens
storage/badger/queues          <- internal/tlscodec pseudods/qs pseudods/wire storage/badger storage/move
storage/badger/reports         <- internal/tlscodec privacypass/attester pseudods/moderation storage/badger storage/move
storage/fence                  <- internal/tlscodec
storage/postgres               <- storage/fence storage/move
storage/postgres/allowances    <- privacypass/attester storage/postgres
storage/postgres/groups        <- pseudods/ds pseudods/wire storage/postgres
storage/postgres/ledger        <- privacypass privacypass/verify storage/postgres tokens
storage/postgres/pgtest        <- storage/postgres storage/postgres/pgserver
storage/postgres/queues        <- internal/secret pseudods/qs pseudods/wire storage/postgres
storage/postgres/reports       <- privacypass/attester pseudods/moderation storage/postgres
storage/storagetest            <- internal/secret privacypass privacypass/verify storage/storagetest/faults storage/storagetest/linear tokens
storage/storagetest/grouptest  <- pseudods/ds pseudods/wire storage/storagetest/faults storage/storagetest/linear
storage/storagetest/queuetest  <- pseudods/qs pseudods/wire storage/storagetest/faults storage/storagetest/linear
storage/storagetest/reporttest <- privacypass/attester pseudods/moderation storage/storagetest/faults
tokens                         <- internal/secret privacypass privacypass/verify
`

// externalImports: package <- other modules' packages it may import.
const externalImports = `
bench/abuse                 <- github.com/prometheus/client_golang/prometheus
bench/report                <- golang.org/x/perf/benchmath gonum.org/v1/plot gonum.org/v1/plot/plotter gonum.org/v1/plot/vg \
                               gonum.org/v1/plot/vg/draw gonum.org/v1/plot/vg/vgsvg
cmd/pseudo                  <- golang.org/x/crypto/argon2 golang.org/x/term
cmd/ppissuer                <- github.com/prometheus/client_golang/prometheus \
                               github.com/prometheus/client_golang/prometheus/collectors
cmd/pseudods                <- github.com/prometheus/client_golang/prometheus \
                               github.com/prometheus/client_golang/prometheus/collectors
internal/daemon             <- github.com/prometheus/client_golang/prometheus \
                               github.com/prometheus/client_golang/prometheus/promhttp \
                               golang.org/x/crypto/acme golang.org/x/crypto/acme/autocert golang.org/x/net/netutil
mls                         <- github.com/cloudflare/circl/dh/x448 github.com/cloudflare/circl/hpke github.com/cloudflare/circl/kem \
                               github.com/cloudflare/circl/sign/ed448 golang.org/x/crypto/chacha20poly1305
privacypass/attester        <- golang.org/x/crypto/argon2
privacypass/attester/oidc   <- github.com/coreos/go-oidc/v3/oidc github.com/go-jose/go-jose/v4
privacypass/internal/rsapss <- filippo.io/bigmod
privacypass/internal/voprf  <- filippo.io/bigmod filippo.io/nistec github.com/gtank/ristretto255
privacypass/issuer          <- filippo.io/bigmod
privacypass/issuer/host     <- github.com/prometheus/client_golang/prometheus
privacypass/issuer/httpapi  <- github.com/prometheus/client_golang/prometheus
pseudods/demo               <- github.com/prometheus/client_golang/prometheus github.com/prometheus/common/expfmt
pseudods/seal               <- golang.org/x/crypto/chacha20poly1305
pseudods/server             <- github.com/prometheus/client_golang/prometheus
storage/badger              <- github.com/dgraph-io/badger/v4 github.com/dgraph-io/badger/v4/options github.com/google/btree
storage/postgres            <- github.com/jackc/pgx/v5 github.com/jackc/pgx/v5/pgconn github.com/jackc/pgx/v5/pgtype github.com/jackc/pgx/v5/pgxpool
storage/postgres/pgserver   <- github.com/jackc/pgx/v5
storage/storagetest/linear  <- github.com/anishathalye/porcupine
storage/storagetest/powerloss <- github.com/hanwen/go-fuse/v2/fs github.com/hanwen/go-fuse/v2/fuse
`

// neverLinked: what a program or package must not contain, whatever the path of
// imports.
var neverLinked = []struct {
	program string
	never   []string
	reason  string
}{
	{"mls/publicgroup", []string{"mls/group"}, "hold a member's secrets"},
	{"pseudods/ds", []string{"mls/group", "privacypass/issuer", "client"}, "act as a member or make tokens"},
	{"pseudods/qs", []string{"mls/group", "mls/publicgroup", "privacypass/issuer", "pseudods/ds", "client"}, "understand what it queues or make tokens"},
	{"pseudods/audit", []string{"mls", "client", "pseudods/ds", "pseudods/qs"}, "know more than what it is told to look for"},
	{"privacypass/verify", []string{"privacypass/issuer", "privacypass/internal/voprf"}, "issue what it should only verify"},
	{"tokens", []string{"privacypass/issuer"}, "make the tokens that it sells things for"},
	{"privacypass/issuer/host", []string{"pseudods", "mls", "tokens"}, "learn what its tokens are spent on"},
	{"pseudods/server", []string{"mls/group", "client"}, "act as a member"},
	{"cmd/ppissuer", []string{"pseudods", "mls", "tokens"}, "learn what its tokens are spent on"},
	{"cmd/pseudo", []string{"privacypass/issuer", "pseudods/ds", "pseudods/qs", "storage"}, "be the service that its user need not trust"},
	{"mls/group", []string{"privacypass", "pseudods", "tokens", "storage"}, "do more than MLS"},
}

// pure packages do no I/O and are given the time; notPure are those below them
// that are an edge.
var (
	pure    = []string{"mls", "privacypass", "tokens", "client/identity", "pseudods/wire", "pseudods/seal", "pseudods/ds/atrest"}
	notPure = []string{"privacypass/client/httpapi", "privacypass/issuer/httpapi", "privacypass/issuer/host", "privacypass/keyring", "privacypass/attester/oidc", "privacypass/attester/webhook",
		"privacypass/attester/storetest"}
)
