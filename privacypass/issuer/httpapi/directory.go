package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/attester"
)

const requestPath = "/token-request"

// serveDirectory answers with the issuer directory of RFC 9578, Section 4.
// Caches may keep it for half of the lead with which keys are announced, and
// revalidate it by its ETag.
func (h *Handler) serveDirectory(w http.ResponseWriter, r *http.Request) {
	c, ok := h.class(r.PathValue("class"), h.config.Clock())
	if !ok {
		http.NotFound(w, r)
		return
	}
	h.metrics.directories.WithLabelValues(c.name).Inc()
	w.Header().Set("Content-Type", privacypass.MediaTypeDirectory)
	w.Header().Set("Cache-Control", h.cacheControl())
	w.Header().Set("ETag", c.etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(c.directory))
}

func (h *Handler) serveDescription(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", h.cacheControl())
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(h.description))
}

// describe makes the issuer's description, which changes only with the
// configuration.
func (h *Handler) describe() ([]byte, error) {
	d := attester.Description{
		Issuer:        h.config.Name,
		PeriodSeconds: int64(h.config.Allowances.Period() / time.Second),
	}
	for _, class := range h.config.Classes {
		policy, _ := h.config.Allowances.Policy(class.Name)
		d.Classes = append(d.Classes, attester.ClassDescription{
			Name:           class.Name,
			Directory:      h.config.BaseURL + "/" + class.Name + privacypass.DirectoryPath,
			BatchSizes:     policy.BatchSizes,
			TokensPerEpoch: policy.Tokens,
		})
	}
	for _, a := range h.config.Attesters {
		description := attester.AttesterDescription{Scheme: a.Scheme()}
		if work, ok := a.(*attester.ProofOfWork); ok {
			cost := work.Cost()
			description.Work = &cost
		}
		d.Attesters = append(d.Attesters, description)
	}
	b, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return append(b, '\n'), nil
}
