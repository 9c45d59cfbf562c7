package seal

import (
	"github.com/pseudods/pseudods/internal/tlscodec"
	"github.com/pseudods/pseudods/pseudods/wire"
)

const reportInfo = "pseudods 1.0 report"

// SealReport encrypts a report of abuse, padded, to the key of those who decide it,
// for one place in their store: the octets open nowhere else. It fails with
// [ErrKey] or [ErrTooLarge].
func SealReport(key *wire.HPKEKey, place, report []byte) ([]byte, error) {
	padded, err := pad(report)
	if err != nil {
		return nil, err
	}
	kemOutput, ciphertext, err := sealTo(key, reportInfo, place, padded)
	if err != nil {
		return nil, err
	}
	var w tlscodec.Writer
	w.Opaque(kemOutput)
	w.Raw(ciphertext)
	return w.Bytes()
}

// OpenReport opens what [SealReport] made. It fails with [ErrOpen].
func OpenReport(key *PrivateKey, place, sealed []byte) ([]byte, error) {
	r := tlscodec.NewReader(sealed, tlscodec.Limits{})
	kemOutput, ciphertext := r.Opaque(), r.Rest()
	if r.Finish() != nil {
		return nil, ErrOpen
	}
	padded, err := key.open(reportInfo, place, kemOutput, ciphertext)
	if err != nil {
		return nil, err
	}
	return unpad(padded)
}
