package daemon

import (
	"io"
	"log/slog"
	"slices"
)

// Attributes are all that a record of a log has beside time, level and message.
// None of them holds what a client sent: an error is of a store, a key directory
// or another service.
var Attributes = []string{"admin", "attesters", "class", "domain", "error", "issuer", "listen", "roles"}

// NewLogger returns the log of a program: JSON, one record to a line. Attributes
// that are not in [Attributes] are left out.
func NewLogger(w io.Writer) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		builtin := []string{slog.TimeKey, slog.LevelKey, slog.MessageKey}
		if len(groups) > 0 || !slices.Contains(Attributes, a.Key) && !slices.Contains(builtin, a.Key) {
			return slog.Attr{}
		}
		return a
	}}))
}
