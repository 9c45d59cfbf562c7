package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/pseudods/pseudods/internal/command"
	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/pseudods/moderation"
	"github.com/pseudods/pseudods/pseudods/seal"
	"github.com/pseudods/pseudods/pseudods/server"
)

// reports lists, shows and decides the reports of abuse that a running server has.
// It opens them here, so that the server needs no key for it.
func reports(args []string, stdout, stderr io.Writer) error {
	if len(args) > 0 {
		switch args[0] {
		case "list":
			return reportsList(args[1:], stdout, stderr)
		case "show":
			return reportsShow(args[1:], stdout, stderr)
		case "uphold":
			return reportsUphold(args[1:], stdout, stderr)
		case "dismiss":
			return reportsDismiss(args[1:], stdout, stderr)
		case "keygen":
			return reportsKeygen(args[1:], stdout, stderr)
		}
	}
	fmt.Fprintln(stderr, "usage: pseudods reports list|show|uphold|dismiss|keygen [flags]")
	return command.ErrUsage
}

// reportFlags are the flags of who works through reports.
type reportFlags struct {
	*flags
	key  *string
	json *bool
}

func newReportFlags(name string, stderr io.Writer) *reportFlags {
	f := &reportFlags{flags: newFlags("reports "+name, stderr).withConfig()}
	f.key = f.String("key", "", "moderation key `file`, if it is not in the server's keys directory")
	f.json = f.Bool("json", false, "print JSON, one report to a line")
	return f
}

// open finds the running server and the moderation keys. Without a key there are
// none and no error, unless one was named.
func (f *reportFlags) open() (*moderation.Remote, []*seal.PrivateKey, error) {
	c, err := f.load()
	if err != nil {
		return nil, nil, err
	}
	data, err := c.DataDir()
	if err != nil {
		return nil, nil, err
	}
	where, err := data.Running()
	if err != nil {
		return nil, nil, err
	}
	admin, err := data.ReadSecret(daemon.AdminFile)
	if err != nil {
		return nil, nil, err
	}
	keys, err := c.ModerationKeys(*f.key)
	if err != nil && (!errors.Is(err, server.ErrNoKeys) || *f.key != "") {
		return nil, nil, err
	}
	return &moderation.Remote{URL: where.Admin, HTTP: &http.Client{Timeout: time.Minute},
		Authorize: func(r *http.Request) { daemon.Authorize(r, admin) }}, keys, nil
}

// openCase opens a case if there are keys.
func openCase(c *moderation.Remoted, keys []*seal.PrivateKey) (*moderation.Opened, error) {
	if len(keys) == 0 || c.Case == nil {
		return nil, nil
	}
	return c.Open(keys)
}

func reportsList(args []string, stdout, stderr io.Writer) error {
	f := newReportFlags("list", stderr)
	if err := f.Read(args, 0); err != nil {
		return err
	}
	remote, keys, err := f.open()
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	if !*f.json {
		fmt.Fprintln(table, "REPORT\tDAY\tACCUSED\tMESSAGES\tREASON\tNOTE")
	}
	err = remote.Each(context.Background(), func(c *moderation.Remoted) error {
		o, err := openCase(c, keys)
		if err != nil && !errors.Is(err, seal.ErrOpen) { // another key's
			return err
		}
		s := c.Shown(o)
		if *f.json {
			return json.NewEncoder(stdout).Encode(s)
		}
		if s.Report == nil {
			_, err = fmt.Fprintf(table, "%s\t%s\tsealed\t-\t-\t-\n", s.Case, s.Day)
			return err
		}
		_, err = fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%d\t%s\n", s.Case, s.Day, accused(s.Report), len(s.Report.Messages), s.Report.Reason, short(s.Report.Note))
		return err
	})
	return errors.Join(err, table.Flush())
}

// accused names who is accused, by a name that a stranger chose and so quoted, or
// by the key.
func accused(r *moderation.ShownReport) string {
	if r.Accused.Name == "" {
		return r.Accused.Key
	}
	return short(r.Accused.Name)
}

const shortLength = 60

// short quotes what strangers wrote.
func short(s string) string {
	if r := []rune(s); len(r) > shortLength {
		s = string(r[:shortLength]) + "..."
	}
	return fmt.Sprintf("%q", s)
}

func (f *reportFlags) lookUp(args []string) (remote *moderation.Remote, c *moderation.Remoted, o *moderation.Opened, err error) {
	if err := f.Read(args, 1); err != nil {
		return nil, nil, nil, err
	}
	id, err := moderation.ParseCaseID(f.Arg(0))
	if err != nil {
		return nil, nil, nil, err
	}
	remote, keys, err := f.open()
	if err != nil {
		return nil, nil, nil, err
	}
	if c, err = remote.Case(context.Background(), id); err == nil {
		o, err = openCase(c, keys)
	}
	return remote, c, o, err
}

func reportsShow(args []string, stdout, stderr io.Writer) error {
	f := newReportFlags("show", stderr)
	_, c, o, err := f.lookUp(args)
	if err != nil {
		return err
	}
	s := c.Shown(o)
	if *f.json {
		return json.NewEncoder(stdout).Encode(s)
	}
	return writeReport(stdout, s)
}

func writeReport(w io.Writer, s *moderation.Shown) error {
	var b strings.Builder
	fmt.Fprintf(&b, "report   %s\nstate    %s\n", s.Case, s.State)
	if s.Day != "" {
		fmt.Fprintf(&b, "day      %s\n", s.Day)
	}
	if r := s.Report; r != nil {
		fmt.Fprintf(&b, "accused  %s of %q\nkey      %s\nuser     %s\ngroup    %s\nreason   %d\nnote     %q\n",
			accused(r), r.Accused.Domain, r.Accused.Key, r.Accused.User, r.Group, r.Reason, r.Note)
		for _, m := range r.Messages {
			if m.Text != "" || len(m.Content) == 0 {
				fmt.Fprintf(&b, "%s %q\n", m.Day, m.Text)
			} else {
				fmt.Fprintf(&b, "%s %q\n", m.Day, m.Content)
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func reportsUphold(args []string, stdout, stderr io.Writer) error {
	f := newReportFlags("uphold", stderr)
	weight := f.String("weight", attester.Normal.String(), "how heavy it weighs: low, normal or severe")
	remote, c, o, err := f.lookUp(args)
	if err != nil {
		return err
	}
	w, err := attester.ParseWeight(*weight)
	if err != nil {
		return err
	}
	outcome := moderation.Outcome{State: moderation.Upheld, Weight: w}
	var opening *moderation.Opening
	if o != nil {
		opening = o.Opening()
	} else if c.Case != nil {
		return errors.New("to uphold a report takes the moderation key; name its file with -key")
	}
	return f.decide(stdout, remote, c, outcome, opening)
}

func reportsDismiss(args []string, stdout, stderr io.Writer) error {
	f := newReportFlags("dismiss", stderr)
	remote, c, _, err := f.lookUp(args)
	if err != nil && !errors.Is(err, seal.ErrOpen) {
		return err
	}
	return f.decide(stdout, remote, c, moderation.Outcome{State: moderation.Dismissed}, nil)
}

func (f *reportFlags) decide(stdout io.Writer, remote *moderation.Remote, c *moderation.Remoted, o moderation.Outcome, opening *moderation.Opening) error {
	if err := remote.Decide(context.Background(), c.ID, o, opening); err != nil {
		return err
	}
	if *f.json {
		return json.NewEncoder(stdout).Encode(moderation.Shown{Case: c.ID.String(), State: o.String()})
	}
	_, err := fmt.Fprintf(stdout, "%s %s\n", c.ID, o)
	return err
}

// reportsKeygen makes a moderation key that the server never sees.
func reportsKeygen(args []string, stdout, stderr io.Writer) error {
	f := newFlags("reports keygen", stderr)
	if err := f.Read(args, 1); err != nil {
		return err
	}
	public, err := server.ModerationKeyFile(f.Arg(0))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, public)
	return err
}
