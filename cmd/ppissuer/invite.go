package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/privacypass/issuer/host"
)

// invite prints new invite codes, one to a line. The issuer needs to know nothing
// of it, and may run or not.
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
	data, err := daemon.OpenDir(c.Data)
	if err != nil {
		return err
	}
	invites, err := host.Invites(data)
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

// account makes an account key: the private part goes into a new file, the public
// part to standard output as a line for the issuer's file of account keys.
func account(args []string, stdout, stderr io.Writer) error {
	f := newFlags("account", stderr)
	out := f.String("out", "account.secret", "new `file` for the private key")
	if err := f.Read(args, 0); err != nil {
		return err
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(*out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(file, base64.URLEncoding.EncodeToString(private.Seed()))
	if e := file.Close(); err == nil {
		err = e
	}
	if err == nil {
		_, err = fmt.Fprintln(stdout, base64.URLEncoding.EncodeToString(public))
	}
	return err
}
