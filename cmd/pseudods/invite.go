package main

import (
	"crypto/rand"
	"fmt"
	"io"
	"time"
)

// invite prints new invite codes of the issuer, one to a line. The server needs to
// know nothing of it, and may run or not.
func invite(args []string, stdout, stderr io.Writer) error {
	f := newFlags("invite", stderr).withConfig()
	count := f.Int("count", 1, "how many codes")
	days := f.Int("days", 30, "for how many days after today they are accepted")
	if err := f.Read(args, 0); err != nil {
		return err
	}
	c, err := f.load()
	if err != nil {
		return err
	}
	invites, err := c.Invites()
	if err != nil {
		return err
	}
	for range *count {
		code, err := invites.New(rand.Reader, time.Now().AddDate(0, 0, *days))
		if err != nil {
			return err
		}
		fmt.Fprintln(stdout, code)
	}
	return nil
}
