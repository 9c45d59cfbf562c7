package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/pseudods/pseudods/pseudods/server"
)

// errUsage: the command line is wrong and the flag package has said so.
var errUsage = errors.New("usage")

// flags is a flag set that takes so many arguments after the flags.
type flags struct {
	*flag.FlagSet
	config, data, roles *string
}

func newFlags(name string, stderr io.Writer) *flags {
	f := flag.NewFlagSet("pseudods "+name, flag.ContinueOnError)
	f.SetOutput(stderr)
	return &flags{FlagSet: f}
}

// withConfig adds the flags by which commands find a server's configuration and
// data.
func (f *flags) withConfig() *flags {
	f.config = f.String("config", "", "configuration `file`; none means the defaults")
	f.data = f.String("data", "", "data `directory`, instead of the configuration's")
	f.roles = f.String("roles", "", "`roles` to run, with commas, instead of the configuration's: ds, qs, issuer")
	return f
}

// parse reads args, of which exactly n must be left after the flags.
func (f *flags) parse(args []string, n int) error {
	if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
		return err
	} else if err != nil {
		return errUsage
	}
	if f.NArg() != n {
		fmt.Fprintf(f.Output(), "%s takes %d arguments after the flags, not %d\n", f.Name(), n, f.NArg())
		f.Usage()
		return errUsage
	}
	return nil
}

// load reads the configuration that the flags name.
func (f *flags) load() (server.Config, error) {
	c, err := server.Load(*f.config)
	if err != nil {
		return c, err
	}
	if *f.data != "" {
		c.Data = *f.data
	}
	if *f.roles != "" {
		c.Roles = nil
		for name := range strings.SplitSeq(*f.roles, ",") {
			c.Roles = append(c.Roles, server.Role(name))
		}
	}
	return c, nil
}

// stores parses args as [flags.parse] does, and returns the configuration with its
// embedded stores.
func (f *flags) stores(args []string, n int) (server.Config, []server.Store, error) {
	if err := f.parse(args, n); err != nil {
		return server.Config{}, nil, err
	}
	c, err := f.load()
	if err != nil {
		return server.Config{}, nil, err
	}
	stores, err := c.Stores()
	return c, stores, err
}
