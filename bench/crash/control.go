package crash

import (
	"context"
	"os"
	"path/filepath"
)

// lose has one member talk while no other reads, and then puts back the queue
// service's store as it was before. The others never hear what was said.
func (r *run) lose(ctx context.Context) error {
	server := r.servers[len(r.servers)-1]
	store := filepath.Join(r.dirs["first"], "qs")
	if r.Split {
		store = filepath.Join(r.dirs["second"], "qs")
	}
	older := r.path("older")
	restart := func(between func() error) error {
		if err := server.kill(); err != nil {
			return err
		}
		if err := between(); err != nil {
			return err
		}
		if err := server.start(); err != nil {
			return err
		}
		return server.ready()
	}
	if err := restart(func() error { return copyDir(older, store) }); err != nil {
		return err
	}
	if err := r.aloneTalk(ctx); err != nil {
		return err
	}
	err := restart(func() error {
		if err := os.RemoveAll(store); err != nil {
			return err
		}
		return copyDir(store, older)
	})
	if err != nil {
		return err
	}
	return r.endClients()
}
