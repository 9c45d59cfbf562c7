package archtest

// DO NOT RELAX these tables to make a build pass. Each line is a decision about
// who may know what; a new edge needs its reason in docs/design.md.

// internalImports: package <- packages of this module it may import, tests
// aside. What is not listed is forbidden, what is listed and not used is stale.
const internalImports = `
mls             <- internal/secret internal/tlscodec
mls/tree        <- mls internal/secret internal/tlscodec
mls/epoch       <- mls mls/tree
mls/publicgroup <- mls mls/epoch mls/tree internal/tlscodec
`

// externalImports: package <- other modules' packages it may import.
const externalImports = `
mls <- github.com/cloudflare/circl/dh/x448 github.com/cloudflare/circl/hpke github.com/cloudflare/circl/kem \
       github.com/cloudflare/circl/sign/ed448 golang.org/x/crypto/chacha20poly1305
`

// neverLinked: what a program must not contain, whatever the path of imports.
var neverLinked = []struct {
	program string
	never   []string
	reason  string
}{
	{"mls/publicgroup", []string{"mls/group"}, "hold a member's secrets"},
	{"privacypass/verify", []string{"privacypass/issuer"}, "issue what it should only verify"},
	{"cmd/ppissuer", []string{"pseudods", "mls", "tokens"}, "learn what its tokens are spent on"},
}

// pure packages do no I/O and are given the time; notPure are those below them
// that are an edge.
var (
	pure    = []string{"mls", "privacypass", "tokens"}
	notPure = []string{"privacypass/issuer/httpapi"}
)
