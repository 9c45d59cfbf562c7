package abuse

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// workPerRequest asks for a proof of work with each request that others limit.
//
// The proof in a run is a small one, so that runs end; the time that the real one
// would take passes in virtual time, on the client's cores.
type workPerRequest struct{}

// workTime is what a request costs: two seconds of one core are about what people
// wait for when they send a message. workBits is the difficulty in a run.
const (
	workTime = 2 * time.Second
	workBits = 6
)

func newWorkPerRequest() Defence { return workPerRequest{} }

func (workPerRequest) Traits() Traits { return Traits{Work: workTime} }

func (workPerRequest) Judge(r *Request) Verdict {
	_, limited := sortOf(r.Operation)
	return Verdict{Refuse: limited && !proves(r.Digest, r.Proof)}
}

func (workPerRequest) Kept() int { return 0 }

// prove finds a proof of work for a request.
func prove(digest [32]byte) []byte {
	for n := uint64(0); ; n++ {
		if p := binary.BigEndian.AppendUint64(nil, n); proves(digest, p) {
			return p
		}
	}
}

func proves(digest [32]byte, proof []byte) bool {
	h := sha256.Sum256(append(digest[:], proof...))
	return len(proof) == 8 && h[0]>>(8-workBits) == 0
}
