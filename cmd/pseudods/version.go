package main

import (
	"fmt"
	"io"
	"runtime/debug"

	"github.com/pseudods/pseudods/pseudods/wire"
)

// version prints what this program was built from, and the protocol versions that
// it speaks.
func version(args []string, stdout, stderr io.Writer) error {
	if err := newFlags("version", stderr).Read(args, 0); err != nil {
		return err
	}
	module, revision, goVersion := "(devel)", "unknown", "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		module, goVersion = info.Main.Version, info.GoVersion
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = s.Value
			}
		}
	}
	_, err := fmt.Fprintf(stdout, "pseudods %s, revision %s, %s, protocol version %d\n", module, revision, goVersion, wire.Version1)
	return err
}
