package main

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/pseudods/pseudods/internal/command"
	"github.com/pseudods/pseudods/privacypass/keyring"
	"github.com/pseudods/pseudods/pseudods/server"
)

// keys makes, lists or rotates the server's keys.
func keys(args []string, stdout, stderr io.Writer) error {
	if len(args) > 0 {
		switch args[0] {
		case "make":
			return keysMake(args[1:], stderr)
		case "list":
			return keysList(args[1:], stdout, stderr)
		case "rotate":
			return keysRotate(args[1:], stdout, stderr)
		}
	}
	fmt.Fprintln(stderr, "usage: pseudods keys make|list|rotate [flags]")
	return command.ErrUsage
}

func keysMake(args []string, stderr io.Writer) error {
	f := newFlags("keys make", stderr).withConfig()
	if err := f.Read(args, 0); err != nil {
		return err
	}
	c, err := f.load()
	if err != nil {
		return err
	}
	return c.MakeKeys(time.Now())
}

func keysList(args []string, stdout, stderr io.Writer) error {
	f := newFlags("keys list", stderr).withConfig()
	if err := f.Read(args, 0); err != nil {
		return err
	}
	c, err := f.load()
	if err != nil {
		return err
	}
	all, err := c.Keys(time.Now())
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ROLE\tUSE\tSTATE\tSINCE\tUNTIL\tKEY")
	for _, k := range all {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", k.Role, k.Use, k.State, stamp(k.Since), stamp(k.Until), k.ID)
	}
	return table.Flush()
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

// keysRotate brings in new keys of one role.
func keysRotate(args []string, stdout, stderr io.Writer) error {
	f := newFlags("keys rotate", stderr).withConfig()
	class := f.String("class", "", "issuer: only this token `class`")
	ahead := f.Bool("ahead", false, "issuer: announce the new key, which starts after the schedule's lead")
	compromised := f.Bool("compromised", false, "qs, issuer: delete the keys in use; what was made with them is lost")
	if err := f.Read(args, 1); err != nil {
		return err
	}
	c, err := f.load()
	if err != nil {
		return err
	}
	role := server.Role(f.Arg(0))
	if role != server.Issuer && (*class != "" || *ahead) || (role == server.DS || role == server.Moderation) && *compromised {
		return fmt.Errorf("a flag does not apply to %s", role)
	}
	switch role {
	case server.DS:
		if err := c.RotateSigner(); err != nil {
			return err
		}
		_, err = fmt.Fprintln(stdout, "a new signature key is used from the next start")
	case server.Moderation:
		if err := c.RotateModerationKeys(); err != nil {
			return err
		}
		_, err = fmt.Fprintln(stdout, "new keys for reports and verdicts are used from the next start")
	case server.QS:
		if err := c.RotateAddressKey(*compromised, time.Now()); err != nil {
			return err
		}
		_, err = fmt.Fprintln(stdout, "a new address key is in use")
	case server.Issuer:
		how := keyring.AtOnce
		switch {
		case *ahead && *compromised:
			return errors.New("either -ahead or -compromised")
		case *compromised:
			how = keyring.Compromised
		case *ahead:
			how = keyring.Ahead
		}
		if err := c.RotateIssuanceKeys(*class, how, time.Now()); err != nil {
			return err
		}
		_, err = fmt.Fprintln(stdout, "new issuance keys are there")
	default:
		return fmt.Errorf("rotate the keys of ds, qs, issuer or moderation, not of %q", role)
	}
	return err
}
