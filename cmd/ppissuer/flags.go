package main

import (
	"io"

	"github.com/pseudods/pseudods/internal/command"
)

// flags are those of a command.
type flags struct {
	command.Flags
	config, data *string
}

func newFlags(name string, stderr io.Writer) *flags {
	return &flags{Flags: command.NewFlags("ppissuer "+name, stderr)}
}

// withConfig adds the flags by which commands find an issuer's configuration
// and data.
func (f *flags) withConfig() *flags {
	f.config = f.String("config", "", "configuration `file`; none means the defaults")
	f.data = f.String("data", "", "data `directory`, instead of the configuration's")
	return f
}

// load reads the configuration that the flags name.
func (f *flags) load() (*config, error) {
	c, err := loadConfig(*f.config)
	if err == nil && *f.data != "" {
		c.Data = *f.data
	}
	return c, err
}
