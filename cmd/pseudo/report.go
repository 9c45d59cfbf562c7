package main

import "context"

// reportWork reports a member.
type reportWork struct{ plain }

func (w *reportWork) take(args []string, _ terminal) error { return exactly(2, args) }

func (w *reportWork) do(context.Context, *session) error {
	return &reported{"reporting is not supported by this server yet; `pseudo group remove` takes somebody out, `pseudo group block` ends a group for you", exitUnsupported}
}
