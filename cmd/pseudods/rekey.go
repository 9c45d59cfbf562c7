package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/pseudods/pseudods/pseudods/server"
)

// rekey gives all encrypted stores the key in a file in place of that in the
// configuration. No server may be using them. It may be repeated.
func rekey(args []string, stdout, stderr io.Writer) error {
	f := newFlags("rekey", stderr).withConfig()
	_, stores, err := f.stores(args, 1)
	if err != nil {
		return err
	}
	for _, s := range stores {
		if err := s.Rekey(f.Arg(0)); errors.Is(err, server.ErrNoStore) {
			continue
		} else if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(stdout, "%s: %s has the new key\n", s.Role, s.Name); err != nil {
			return err
		}
	}
	return nil
}
