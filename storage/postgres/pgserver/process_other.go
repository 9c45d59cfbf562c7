//go:build !linux

package pgserver

import (
	"errors"
	"os/exec"
	"time"
)

type account struct{}

func lookup() (*account, error) { return nil, nil }

func (*account) own(string) error { return nil }

func (*account) run(*exec.Cmd) {}

func endWithParent(*exec.Cmd) {}

// Processor is the time that all of the server's processes have used. It is 0
// where it cannot be told.
func (s *Server) Processor() time.Duration { return 0 }

// Kill is not supported here.
func (s *Server) Kill() error { return errors.ErrUnsupported }

// KillAll is not supported here.
func KillAll(int) error { return errors.ErrUnsupported }

// Children is not supported here.
func Children(int) ([]int, error) { return nil, errors.ErrUnsupported }

// Hold is not supported here.
func (s *Server) Hold() error { return errors.ErrUnsupported }

// HoldSenders is not supported here.
func HoldSenders(int) error { return errors.ErrUnsupported }
