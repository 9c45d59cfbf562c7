package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/pseudods/pseudods/client/vault"
	"github.com/pseudods/pseudods/internal/secret"
	"github.com/pseudods/pseudods/privacypass/attester"
)

// What the user has and the issuer wants do not go together.
var (
	errNoInvite  = errors.New("the issuer takes no work, and there is no invite code")
	errNoInvites = errors.New("the issuer takes no invite codes")
)

// inviteName is that of the vault's record with the user's invite code.
const inviteName = "pseudo/invite"

// attestation vouches for the user to issuers: by an invite code, as long as
// there is one, or else by work. It says how long the work takes.
type attestation struct{ vault *vault.Vault }

// Authorize implements account.Attestor.
func (a attestation) Authorize(ctx context.Context, d *attester.Description, r *attester.Request) (string, error) {
	var work *attester.WorkCost
	invites := false
	for _, by := range d.Attesters {
		invites = invites || by.Scheme == attester.InviteScheme
		if by.Work != nil {
			work = by.Work
		}
	}
	code, err := a.vault.Get(inviteName)
	switch {
	case err == nil && invites:
		return attester.InviteAuthorization(string(code)), nil
	case err == nil:
		return "", errNoInvites
	case !errors.Is(err, vault.ErrNotFound):
		return "", err
	case work == nil:
		return "", errNoInvite
	}
	done := notesOf(ctx).during(fmt.Sprintf("proof of work for %d tokens, about %d s", r.Tokens, expected(work, r.Tokens)))
	defer done()
	return work.Solve(ctx, rand.Reader, r)
}

// expected is how many seconds the work takes here on average.
func expected(c *attester.WorkCost, tokens int) int {
	if c.Validate() != nil {
		return 0
	}
	began := time.Now()
	argon2.IDKey(nil, make([]byte, 16), c.Passes, c.MemoryKiB, 1, 8)
	return int(math.Ceil(time.Since(began).Seconds() * float64(c.Attempts) * float64(tokens)))
}

// useInvite has tokens paid by the code in a file, or by work if the file is "".
func useInvite(v *vault.Vault, code secret.Bytes) error {
	if code.IsZero() {
		return v.Delete(inviteName)
	}
	return v.Put(inviteName, code.Reveal())
}

// maxInvite bounds what is read of an invite code.
const maxInvite = 4 << 10

// readInvite reads an invite code from a file, or for "-" from the input.
func readInvite(name string, t terminal) (secret.Bytes, error) {
	var code secret.Bytes
	var err error
	if _, asks := file(t.in); name != "-" {
		code, err = secretFile(name)
	} else if asks {
		code, err = t.ask("invite code: ")
	} else {
		var b []byte
		b, err = io.ReadAll(io.LimitReader(t.in, maxInvite))
		code = secret.New(bytes.TrimSpace(b))
	}
	if err == nil && (code.Len() == 0 || strings.ContainsAny(string(code.Reveal()), " \t\r\n")) {
		err = errors.New("that is no invite code")
	}
	return code, err
}

// notesKey is the context's key of who waits for the work.
type notesKey struct{}

func withNotes(ctx context.Context, n notes) context.Context {
	return context.WithValue(ctx, notesKey{}, n)
}

// notesOf returns where progress goes: nowhere if nobody waits.
func notesOf(ctx context.Context) notes {
	if n, ok := ctx.Value(notesKey{}).(notes); ok {
		return n
	}
	return notes{w: io.Discard}
}
