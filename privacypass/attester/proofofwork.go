package attester

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"

	"golang.org/x/crypto/argon2"
)

// ProofOfWorkScheme is the authentication scheme of proofs of work.
const ProofOfWorkScheme = "ProofOfWork"

// ProofOfWorkWindow is how old the time in a proof may be. Half a minute in the
// future is accepted too.
const ProofOfWorkWindow = 10 * time.Minute

const (
	proofSkew = 30 * time.Second
	proofSalt = 16
)

// WorkCost states what one token costs. The expected work of a request is
// Attempts times its number of tokens evaluations of Argon2id (RFC 9106).
type WorkCost struct {
	// MemoryKiB is the memory of one evaluation: 8 to 1 << 20 KiB.
	MemoryKiB uint32 `json:"memory_kib"`
	// Passes over the memory: 1 to 16.
	Passes uint32 `json:"passes"`
	// Attempts expected per token: 1 to 1 << 20.
	Attempts uint32 `json:"attempts"`
}

// ErrWorkCost: a cost out of its bounds.
var ErrWorkCost = errors.New("attester: proof-of-work cost out of bounds")

// Validate returns [ErrWorkCost] or nil.
func (c WorkCost) Validate() error {
	if c.MemoryKiB < 8 || c.MemoryKiB > 1<<20 || c.Passes < 1 || c.Passes > 16 || c.Attempts < 1 || c.Attempts > 1<<20 {
		return ErrWorkCost
	}
	return nil
}

// target is the largest first 8 octets of a hash, read as an integer, that prove
// the work for so many tokens.
func (c WorkCost) target(tokens int) uint64 {
	return math.MaxUint64 / (uint64(c.Attempts) * uint64(tokens))
}

func (c WorkCost) evaluate(preimage, salt []byte, nonce uint64) uint64 {
	in := binary.BigEndian.AppendUint64(preimage, nonce)
	return binary.BigEndian.Uint64(argon2.IDKey(in, salt, c.Passes, c.MemoryKiB, 1, 8))
}

// ProofOfWork is the attester that asks for no account, only for work: many
// evaluations of Argon2id by the client, one by the issuer.
//
// The client dates its own challenge and binds it to the token request. A proof
// is therefore good for that request alone, which is answered with the same
// bytes however often it is repeated: there is nothing to replay and nothing to
// hand out beforehand. Each proof is an account with one allowance.
//
// The cost is what an attacker with many machines pays as well, so it deters and
// doesn't prevent; attackers' cheapest hardware sets the price, which is why the
// function is bound by memory. Verification costs the issuer one evaluation, at
// most the configured number at a time. Others wait for their turn, so that the
// memory used stays bounded.
type ProofOfWork struct {
	cost  WorkCost
	turns chan struct{}
}

var _ Attester = (*ProofOfWork)(nil)

// NewProofOfWork returns the attester of proofs at that cost, of which it
// verifies parallel ones at once.
func NewProofOfWork(cost WorkCost, parallel int) (*ProofOfWork, error) {
	if err := cost.Validate(); err != nil {
		return nil, err
	}
	if parallel < 1 {
		return nil, fmt.Errorf("%w: parallel must be at least 1", ErrWorkCost)
	}
	return &ProofOfWork{cost, make(chan struct{}, parallel)}, nil
}

// Cost returns the stated cost.
func (p *ProofOfWork) Cost() WorkCost { return p.cost }

// Scheme returns [ProofOfWorkScheme].
func (p *ProofOfWork) Scheme() string { return ProofOfWorkScheme }

// Attest accepts `ProofOfWork time=..., salt="...", nonce=...`: seconds since
// 1970, 16 octets of base64url with padding, an integer of up to 64 bits.
func (p *ProofOfWork) Attest(ctx context.Context, r *Request) (Identity, error) {
	params, err := Params(r.Authorization, ProofOfWorkScheme, "time", "salt", "nonce")
	if err != nil {
		return Identity{}, err
	}
	at, err := decodeTime(params["time"])
	if err != nil {
		return Identity{}, err
	}
	salt, err := decode64(params["salt"], proofSalt)
	if err != nil {
		return Identity{}, err
	}
	nonce, err := strconv.ParseUint(params["nonce"], 10, 64)
	if err != nil || strconv.FormatUint(nonce, 10) != params["nonce"] {
		return Identity{}, fmt.Errorf("%w: bad nonce", ErrMalformed)
	}
	if r.Now.Sub(at) > ProofOfWorkWindow || at.Sub(r.Now) > proofSkew {
		return Identity{}, fmt.Errorf("%w: stale proof", ErrRefused)
	}
	select {
	case p.turns <- struct{}{}:
		defer func() { <-p.turns }()
	case <-ctx.Done():
		return Identity{}, ctx.Err()
	}
	preimage := r.signed(proofLabel, at)
	if p.cost.evaluate(preimage, salt, nonce) > p.cost.target(r.Tokens) {
		return Identity{}, fmt.Errorf("%w: not enough work", ErrRefused)
	}
	stamp := sha256.Sum256(binary.BigEndian.AppendUint64(append(preimage, salt...), nonce))
	return Identity{Subject: hex.EncodeToString(stamp[:]), Once: at.Add(ProofOfWorkWindow)}, nil
}

const proofLabel = "privacypass attester proof of work"

// Solve finds a proof for r, dated r.Now, and returns its Authorization header
// value. It reads 16 octets from rand and runs until it succeeds or ctx is done.
// r.Authorization is not used.
func (c WorkCost) Solve(ctx context.Context, rand io.Reader, r *Request) (string, error) {
	if err := c.Validate(); err != nil {
		return "", err
	}
	salt := make([]byte, proofSalt)
	if _, err := io.ReadFull(rand, salt); err != nil {
		return "", err
	}
	preimage, target := r.signed(proofLabel, r.Now), c.target(r.Tokens)
	for nonce := uint64(0); ; nonce++ {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		if c.evaluate(preimage, salt, nonce) <= target {
			return fmt.Sprintf(`%s time=%d, salt="%s", nonce=%d`, ProofOfWorkScheme, r.Now.Unix(), encode64(salt), nonce), nil
		}
	}
}
