package link

import (
	"math"
	"math/bits"
	"math/rand/v2"

	"github.com/pseudods/pseudods/pseudods/seal"
)

// What is added to a text before it is padded, in octets: by the SDK, by MLS, and
// by the delivery service.
const (
	contentOverhead = 19  // kind, identifier, length
	frameOverhead   = 163 // PrivateMessage of suite 1
	fanoutOverhead  = 54  // lengths, kind, domain, group
	overhead        = contentOverhead + frameOverhead + fanoutOverhead
)

// SizeWorkload is the distribution of content lengths, in octets: 80 % texts,
// log-normal around 40 (sigma 1); 12 % receipts and reactions, uniform from 24 to
// 40; 6 % references to attachments, uniform from 200 to 700; 2 % small media,
// log-normal around 24 Ki (sigma 1). All are at most 120 Ki. It is an assumption,
// not a measurement of people.
func SizeWorkload(r *rand.Rand) int {
	normal := func(median float64) int { return int(math.Round(median * math.Exp(r.NormFloat64()))) }
	n := 0
	switch x := r.Float64(); {
	case x < 0.80:
		n = normal(40)
	case x < 0.92:
		n = 24 + r.IntN(17)
	case x < 0.98:
		n = 200 + r.IntN(501)
	default:
		n = normal(24 << 10)
	}
	return min(max(n, 1), 120<<10)
}

// SizeScheme is a way to pad payloads.
type SizeScheme struct {
	Name   string
	Padded func(n int) int
}

// SizeSchemes are no padding; the classes of package seal, as they are and with
// larger smallest ones; powers of two; and blocks of a KiB.
var SizeSchemes = []SizeScheme{
	{"none", func(n int) int { return n }},
	{"padme-256", seal.PaddedSize},
	{"padme-512", func(n int) int { return max(512, seal.PaddedSize(n)) }},
	{"padme-1024", func(n int) int { return max(1024, seal.PaddedSize(n)) }},
	{"power-of-two-256", func(n int) int { return max(256, 1<<bits.Len(uint(n-1))) }},
	{"block-1024", func(n int) int { return (n + 1023) &^ 1023 }},
}

// sizeTrial matches conversations. A conversation of n messages went in, at
// known exact lengths; k conversations of n messages came out, in classes, and
// one of them is it. The attacker takes at random one of those that fit. success
// is the probability that it is right, given the messages: with m others that
// fit by chance, each with probability f, it is the mean of 1/(1+m), which is
// (1-(1-f)^k)/(k f).
func sizeTrial(r *rand.Rand, frequency map[int]float64, s *SizeScheme, messages, candidates int) (success float64) {
	f := 1.0
	for range messages {
		f *= frequency[s.Padded(SizeWorkload(r)+overhead)]
	}
	k := float64(candidates)
	if f*k < 1e-9 {
		return 1
	}
	return -math.Expm1(k*math.Log1p(-min(f, 1-1e-15))) / (k * f)
}

// frequencies estimates how often each class comes, and the cost of the scheme:
// octets that leave for each that had to.
func (s *SizeScheme) frequencies(r *rand.Rand, samples int) (frequency map[int]float64, cost float64) {
	frequency = map[int]float64{}
	before, after := 0.0, 0.0
	for range samples {
		n := SizeWorkload(r) + overhead
		p := s.Padded(n)
		frequency[p] += 1 / float64(samples)
		before += float64(n)
		after += float64(p)
	}
	return frequency, after / before
}
