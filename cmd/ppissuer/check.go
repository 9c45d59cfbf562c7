package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/pseudods/pseudods/privacypass"
)

// check examines the directory of any issuer, or of the one that runs on the data
// directory, and fails if something is wrong with it. It asks for no token and
// sends no credential.
func check(args []string, stdout, stderr io.Writer) error {
	f := newFlags("check", stderr).withConfig()
	probe := f.Bool("probe", true, "also send a request that must be refused to the issuance endpoint")
	if err := f.Read(args, -1); err != nil {
		return err
	}
	target := f.Arg(0)
	if f.NArg() == 0 {
		var err error
		if target, err = f.runningURL(); err != nil {
			return err
		}
	}
	location, err := directoryURL(target)
	if err != nil || f.NArg() > 1 {
		return errors.New("want the URL or host name of one issuer")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	l := &linter{out: stdout, now: time.Now(), client: &http.Client{
		Timeout:       20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	fmt.Fprintln(stdout, "checking", location)
	l.directory(ctx, location, *probe)
	switch {
	case l.failures > 0:
		return fmt.Errorf("%d failures, %d warnings", l.failures, l.warnings)
	case l.warnings > 0:
		fmt.Fprintf(stdout, "%d warnings\n", l.warnings)
	default:
		fmt.Fprintln(stdout, "no complaints")
	}
	return nil
}

// directoryURL completes what a person writes to the URL of a directory.
func directoryURL(arg string) (*url.URL, error) {
	if !strings.Contains(arg, "://") {
		arg = "https://" + arg
	}
	u, err := url.Parse(arg)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, errors.New("not the URL or host name of an issuer")
	}
	if !strings.HasSuffix(u.Path, privacypass.DirectoryPath) {
		u.Path = strings.TrimSuffix(u.Path, "/") + privacypass.DirectoryPath
	}
	return u, nil
}

// linter writes findings: things that are right, that deserve a look, and that
// are wrong.
type linter struct {
	out                io.Writer
	now                time.Time
	client             *http.Client
	failures, warnings int
}

func (l *linter) ok(format string, args ...any) {
	fmt.Fprintf(l.out, "ok    "+format+"\n", args...)
}

func (l *linter) warn(format string, args ...any) {
	l.warnings++
	fmt.Fprintf(l.out, "warn  "+format+"\n", args...)
}

func (l *linter) fail(format string, args ...any) {
	l.failures++
	fmt.Fprintf(l.out, "FAIL  "+format+"\n", args...)
}

// verdict is ok if good, else fail, each with the text that describes it.
func (l *linter) verdict(good bool, right, wrong string, args ...any) {
	if good {
		l.ok("%s", right)
	} else {
		l.fail(wrong, args...)
	}
}
