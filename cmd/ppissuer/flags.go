package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
)

// flags is a flag set that takes so many arguments after the flags.
type flags struct {
	*flag.FlagSet
	config, data *string
}

func newFlags(name string, stderr io.Writer) *flags {
	f := flag.NewFlagSet("ppissuer "+name, flag.ContinueOnError)
	f.SetOutput(stderr)
	return &flags{FlagSet: f}
}

// withConfig adds the flags by which commands find an issuer's configuration
// and data.
func (f *flags) withConfig() *flags {
	f.config = f.String("config", "", "configuration `file`; none means the defaults")
	f.data = f.String("data", "", "data `directory`, instead of the configuration's")
	return f
}

// parse reads args, of which exactly n must be left after the flags, or any
// number if n is negative.
func (f *flags) parse(args []string, n int) error {
	if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
		return err
	} else if err != nil {
		return errUsage
	}
	if n >= 0 && f.NArg() != n {
		fmt.Fprintf(f.Output(), "%s takes %d arguments after the flags, not %d\n", f.Name(), n, f.NArg())
		f.Usage()
		return errUsage
	}
	return nil
}

// load reads the configuration that the flags name.
func (f *flags) load() (*config, error) {
	c, err := loadConfig(*f.config)
	if err == nil && *f.data != "" {
		c.Data = *f.data
	}
	return c, err
}
