package host

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/privacypass/attester"
)

// ReductionsPath is the path of an admin listener that takes a Reduction by POST.
const ReductionsPath = "/reductions"

const maxReduction = 8 << 10

// Reduce answers a request with a reduction as JSON, which must have
// "Authorization: Bearer" and the content of daemon.AdminFile. It is not for a listener
// that others than the operator reach.
func (h *Host) Reduce(w http.ResponseWriter, r *http.Request) {
	if !daemon.Authorized(w, r, h.adminSecret) {
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxReduction))
	if err != nil {
		http.Error(w, "unreadable", http.StatusBadRequest)
		return
	}
	reduction, err := ParseReduction(body)
	if err == nil && !slices.Contains(h.schemes, reduction.Scheme) {
		err = ErrReduction
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	err = h.allowances.Reduce(r.Context(), reduction.Scheme, reduction.Subject, attester.Penalty{Percent: reduction.Percent, Hold: max(1, reduction.Hold), Epochs: reduction.Epochs}, time.Now())
	switch {
	case errors.Is(err, attester.ErrPolicy):
		http.Error(w, ErrReduction.Error(), http.StatusUnprocessableEntity)
	case err != nil:
		h.log.Error("reduction failed", "error", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// Reduction asks for the cut of an account's allowance. It carries no reason.
type Reduction struct {
	// Scheme is the attester's, and Subject the account's name there: what a "sub"
	// claim or the account system says, or an account key in base64url.
	Scheme  string `json:"scheme"`
	Subject string `json:"subject"`
	// Percent is withheld for this epoch and the following ones, Hold in all, and
	// less with each epoch after them, until after Epochs nothing is. Hold is 1 if it
	// is left out.
	Percent uint8 `json:"percent"`
	Hold    int   `json:"hold,omitempty"`
	Epochs  int   `json:"epochs"`
}

// ErrReduction: not a reduction that could be made.
var ErrReduction = errors.New("a reduction needs a scheme that is configured, a subject, 0 to 100 percent and at least one epoch, of which hold is no more")

// ParseReduction decodes a reduction. It fails with ErrReduction.
func ParseReduction(b []byte) (Reduction, error) {
	var r Reduction
	decoder := json.NewDecoder(bytes.NewReader(b))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r); err != nil {
		return Reduction{}, ErrReduction
	}
	if _, err := decoder.Token(); err != io.EOF || r.Subject == "" || r.Hold < 0 {
		return Reduction{}, ErrReduction
	}
	if r.Scheme == attester.AccountKeyScheme {
		key, err := base64.URLEncoding.Strict().DecodeString(r.Subject)
		if err != nil || len(key) != 32 {
			return Reduction{}, fmt.Errorf("%w: the subject is not an account key", ErrReduction)
		}
		r.Subject = string(key)
	}
	return r, nil
}
