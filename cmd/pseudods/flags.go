package main

import (
	"io"
	"strings"

	"github.com/pseudods/pseudods/internal/command"
	"github.com/pseudods/pseudods/pseudods/server"
)

// flags are those of a command.
type flags struct {
	command.Flags
	config, data, roles *string
}

func newFlags(name string, stderr io.Writer) *flags {
	return &flags{Flags: command.NewFlags("pseudods "+name, stderr)}
}

// withConfig adds the flags by which commands find a server's configuration and
// data.
func (f *flags) withConfig() *flags {
	f.config = f.String("config", "", "configuration `file`; none means the defaults")
	f.data = f.String("data", "", "data `directory`, instead of the configuration's")
	f.roles = f.String("roles", "", "`roles` to run, with commas, instead of the configuration's: ds, qs, issuer")
	return f
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
	if err := f.Read(args, n); err != nil {
		return server.Config{}, nil, err
	}
	c, err := f.load()
	if err != nil {
		return server.Config{}, nil, err
	}
	stores, err := c.Stores()
	return c, stores, err
}
