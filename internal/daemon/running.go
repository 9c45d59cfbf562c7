package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// RunningFile names the file in a data directory that holds a Running.
const RunningFile = "running.json"

// ErrNotRunning: no program has said that it runs on the data directory.
var ErrNotRunning = errors.New("nothing runs on")

// Running says where a running program listens. A file that was left behind by a
// crash is as good as none: nobody answers there.
type Running struct {
	URL   string `json:"url"`
	Admin string `json:"admin"`
	// Roles are the URLs of roles that have a listener of their own.
	Roles map[string]string `json:"roles,omitempty"`
	PID   int               `json:"pid"`
}

// SetRunning writes the file that Running reads.
func (d Dir) SetRunning(r Running) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	temporary := d.Path(".new-" + RunningFile)
	if err := os.WriteFile(temporary, append(b, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, d.Path(RunningFile))
}

// Stopped removes the file that SetRunning wrote.
func (d Dir) Stopped() error {
	if err := os.Remove(d.Path(RunningFile)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Running reads where a program listens. It fails with ErrNotRunning.
func (d Dir) Running() (r Running, err error) {
	b, err := os.ReadFile(d.Path(RunningFile))
	if errors.Is(err, fs.ErrNotExist) {
		return r, fmt.Errorf("%w %s", ErrNotRunning, d)
	}
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("%s: %w", d.Path(RunningFile), err)
	}
	return r, nil
}
