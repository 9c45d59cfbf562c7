//go:build !linux

package pgserver

import (
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
