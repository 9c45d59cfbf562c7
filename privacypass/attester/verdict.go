package attester

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pseudods/pseudods/internal/tlscodec"
)

// VerdictWindow is how long after its day a verdict is accepted. Who sends them
// tries no longer, and who takes them remembers each as long.
const VerdictWindow = 14 * 24 * time.Hour

// MaxVerdict is the longest encoding of a signed verdict, in octets.
const MaxVerdict = 20 << 10

// maxVerdictCredential bounds the credential in octets: no identity link holds more.
const maxVerdictCredential = 16 << 10

// The refusals of a verdict. Each wraps [ErrVerdict].
var (
	ErrVerdict = errors.New("attester: verdict refused")
	// ErrVerdictMalformed: the octets are no verdict.
	ErrVerdictMalformed = fmt.Errorf("%w: malformed", ErrVerdict)
	// ErrVerdictForged: it is not signed by a service that may send verdicts.
	ErrVerdictForged = fmt.Errorf("%w: no service that is known has signed it", ErrVerdict)
	// ErrVerdictForeign: it is for another issuer.
	ErrVerdictForeign = fmt.Errorf("%w: for another issuer", ErrVerdict)
	// ErrVerdictStale: its day is over for longer than [VerdictWindow], or has
	// not come.
	ErrVerdictStale = fmt.Errorf("%w: stale", ErrVerdict)
)

// Weight is how heavy an upheld report weighs. What follows is the issuer's
// policy.
type Weight uint8

const (
	Low    Weight = 1
	Normal Weight = 2
	Severe Weight = 3
)

// Weights are all weights, in rising order.
var Weights = []Weight{Low, Normal, Severe}

var weightNames = map[Weight]string{Low: "low", Normal: "normal", Severe: "severe"}

func (w Weight) String() string {
	if name, ok := weightNames[w]; ok {
		return name
	}
	return fmt.Sprintf("Weight(%d)", uint8(w))
}

// ErrWeight: not the name of a weight.
var ErrWeight = errors.New("attester: a weight is low, normal or severe")

// ParseWeight reads the name of a weight. It fails with [ErrWeight].
func ParseWeight(name string) (Weight, error) {
	for w, n := range weightNames {
		if n == name {
			return w, nil
		}
	}
	return 0, ErrWeight
}

// Verdict tells an issuer that a report against one of its accounts was upheld.
// It names the account as other users know it, by its real credential and key, and
// says nothing of who reported it, where, when and why.
type Verdict struct {
	// Issuer is the name of the issuer that it is for.
	Issuer string
	// ID is random and tells verdicts apart.
	ID [16]byte
	// Day is when it is sent first, in days since the Unix epoch, which is not when
	// it was decided.
	Day    uint32
	Weight Weight
	// Key and Credential are the real ones of the accused; the credential is opaque
	// here.
	Key        [ed25519.PublicKeySize]byte
	Credential []byte
}

// verdictVersion is the version of the encoding.
const verdictVersion = 1

// Marshal encodes the verdict without a signature: version (u16), issuer
// (opaque<V>), ID, day (u32), weight (u8), key, credential (opaque<V>). It fails with
// [ErrVerdictMalformed] if the verdict has no encoding.
func (v *Verdict) Marshal() ([]byte, error) {
	if len(v.Issuer) == 0 || len(v.Issuer) > 255 || len(v.Credential) > maxVerdictCredential || weightNames[v.Weight] == "" {
		return nil, ErrVerdictMalformed
	}
	var w tlscodec.Writer
	w.Uint16(verdictVersion)
	w.Opaque([]byte(v.Issuer))
	w.Raw(v.ID[:])
	w.Uint32(v.Day)
	w.Uint8(uint8(v.Weight))
	w.Raw(v.Key[:])
	w.Opaque(v.Credential)
	return w.Bytes()
}

// ParseVerdict decodes a verdict without a signature. It fails with
// [ErrVerdictMalformed].
func ParseVerdict(b []byte) (*Verdict, error) {
	r := tlscodec.NewReader(b, tlscodec.Limits{MaxBytes: MaxVerdict})
	v := readVerdict(r)
	if r.Finish() != nil {
		return nil, ErrVerdictMalformed
	}
	return v, nil
}

func readVerdict(r *tlscodec.Reader) *Verdict {
	v := new(Verdict)
	if r.Uint16() != verdictVersion {
		r.Fail(tlscodec.ErrValue)
	}
	issuer := r.Opaque()
	copy(v.ID[:], r.Fixed(len(v.ID)))
	v.Day = r.Uint32()
	v.Weight = Weight(r.Uint8())
	copy(v.Key[:], r.Fixed(len(v.Key)))
	credential := r.Opaque()
	if len(issuer) == 0 || len(issuer) > 255 || len(credential) > maxVerdictCredential || weightNames[v.Weight] == "" {
		r.Fail(tlscodec.ErrValue)
	}
	v.Issuer, v.Credential = string(issuer), slices.Clone(credential)
	return v
}

// verdictTBS returns the octets under a service's signature: they begin with a
// label that no other signature of this product has.
func verdictTBS(verdict []byte) []byte {
	var w tlscodec.Writer
	w.Opaque([]byte("privacypass attester verdict"))
	w.Opaque(verdict)
	b, err := w.Bytes()
	if err != nil {
		panic(err) // a verdict of more than 1 GiB
	}
	return b
}

// Sign returns the verdict's encoding (opaque<V>), the public key of the service
// that signs, and its Ed25519 signature (RFC 8032): at most [MaxVerdict] octets. It
// fails with [ErrVerdictMalformed].
func (v *Verdict) Sign(key ed25519.PrivateKey) ([]byte, error) {
	verdict, err := v.Marshal()
	if err != nil {
		return nil, err
	}
	var w tlscodec.Writer
	w.Opaque(verdict)
	w.Raw(key.Public().(ed25519.PublicKey))
	w.Raw(ed25519.Sign(key, verdictTBS(verdict)))
	return w.Bytes()
}

// DayOf returns the day of a time at or after 1970, in days since the Unix epoch.
func DayOf(t time.Time) uint32 { return uint32(max(0, t.Unix()) / (24 * 60 * 60)) }

// Expires returns when the verdict is accepted no more.
func (v *Verdict) Expires() time.Time {
	return time.Unix(int64(v.Day)*24*60*60, 0).Add(24*time.Hour + VerdictWindow)
}

// OpenVerdict returns what one of the services has signed for the issuer of that
// name. It fails with [ErrVerdictMalformed], [ErrVerdictForged], [ErrVerdictForeign]
// or [ErrVerdictStale]. That it was used before is for the store to say.
func OpenVerdict(signed []byte, services Keys, issuer string, now time.Time) (*Verdict, error) {
	r := tlscodec.NewReader(signed, tlscodec.Limits{MaxBytes: MaxVerdict})
	verdict, key, signature := r.Opaque(), r.Fixed(ed25519.PublicKeySize), r.Fixed(ed25519.SignatureSize)
	if r.Finish() != nil {
		return nil, ErrVerdictMalformed
	}
	v, err := ParseVerdict(verdict)
	if err != nil {
		return nil, err
	}
	if _, known := services[[ed25519.PublicKeySize]byte(key)]; !known || !ed25519.Verify(key, verdictTBS(verdict), signature) {
		return nil, ErrVerdictForged
	}
	if v.Issuer != issuer {
		return nil, ErrVerdictForeign
	}
	// A day ahead, for clocks that differ.
	if today := DayOf(now); v.Day > today+1 || !now.Before(v.Expires()) {
		return nil, ErrVerdictStale
	}
	return v, nil
}
