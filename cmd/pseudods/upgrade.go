package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/pseudods/pseudods/pseudods/server"
)

// upgrade brings all embedded stores to this program's versions of their formats. No
// server may be using them. It may be repeated, and goes on where it was cut short.
func upgrade(args []string, stdout, stderr io.Writer) error {
	f := newFlags("upgrade", stderr).withConfig()
	c, stores, err := f.stores(args, 0)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	for _, s := range stores {
		from, err := s.Upgrade(ctx, c.MinFree)
		if errors.Is(err, server.ErrNoStore) {
			continue
		}
		if err != nil {
			return err
		}
		was := fmt.Sprint("was version ", from)
		if from == s.Format.Version {
			was = "no change"
		}
		if _, err := fmt.Fprintf(stdout, "%s: %s has version %d, %s\n", s.Role, s.Name, s.Format.Version, was); err != nil {
			return err
		}
	}
	return elsewhere(c, stdout, "upgraded")
}
