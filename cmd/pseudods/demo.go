package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/pseudods/pseudods/pseudods/demo"
)

// playDemo plays the story of a few people in a temporary directory, which it
// removes again.
func playDemo(args []string, stdout, stderr io.Writer) (err error) {
	f := newFlags("demo", stderr)
	keep := f.String("keep", "", "play in this new directory and keep it")
	if err := f.Read(args, 0); err != nil {
		return err
	}
	dir := *keep
	if dir == "" {
		if dir, err = os.MkdirTemp("", "pseudods-demo-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	} else if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	return demo.Run(ctx, stdout, dir)
}
