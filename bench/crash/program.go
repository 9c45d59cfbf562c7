package crash

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/pseudods/pseudods/pseudods/httpapi"
)

// program is a process that is killed and started again.
type program struct {
	name string
	args []string
	env  []string // besides this process's
	log  string
	// url answers when the program serves; empty for a client.
	url string
	// again has a program that ends by itself started again, as a supervisor does.
	again bool

	command *exec.Cmd
	stdin   io.WriteCloser
	ended   chan struct{}
	mu      sync.Mutex
	err     error // of the end that nobody caused
	killed  bool
	// restarts counts how often it was started again.
	restarts int
}

// afterwards is how long a program that ended by itself stays down.
const afterwards = 300 * time.Millisecond

func (p *program) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.run()
}

// run starts the program; mu is held.
func (p *program) run() error {
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	c := exec.Command(p.args[0], p.args[1:]...)
	c.Stdout, c.Stderr, c.Env = out, out, append(os.Environ(), p.env...)
	stdin, err := c.StdinPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	p.command, p.stdin, p.ended, p.killed = c, stdin, ended, false
	go p.wait(c, ended)
	return nil
}

// wait tells of the end of a process, and what follows if nobody caused it.
func (p *program) wait(c *exec.Cmd, ended chan struct{}) {
	err := c.Wait()
	defer close(ended)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.killed {
		return
	}
	if !p.again {
		p.err = fmt.Errorf("crash: %s ended: %v; see %s", p.name, err, p.log)
		return
	}
	time.AfterFunc(afterwards, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.ended == ended && !p.killed {
			p.restarts++
			p.err = p.run()
		}
	})
}

// kill ends the process by signal 9 and waits for that.
func (p *program) kill() error {
	p.mu.Lock()
	p.killed = true
	command, ended := p.command, p.ended
	p.mu.Unlock()
	if err := command.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-ended
	return nil
}

// end tells a client to end, by the end of its input, and returns an error unless it ends well in time.
func (p *program) end(patience time.Duration) error {
	p.mu.Lock()
	p.killed = true
	p.mu.Unlock()
	p.stdin.Close()
	select {
	case <-p.ended:
	case <-time.After(patience):
		return errors.Join(fmt.Errorf("crash: %s does not end; see %s", p.name, p.log), p.kill())
	}
	if !p.command.ProcessState.Success() {
		return fmt.Errorf("crash: %s ended with %v; see %s", p.name, p.command.ProcessState, p.log)
	}
	return nil
}

// failure is the error of an end that nobody caused.
func (p *program) failure() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// ready waits until a server serves.
func (p *program) ready() error {
	probe := &http.Client{Timeout: time.Second}
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		res, err := probe.Get(p.url + httpapi.PathProvider)
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		if err := p.failure(); err != nil {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("crash: %s does not serve; see %s", p.name, p.log)
		}
	}
}

// copyDir copies a directory for its owner alone.
func copyDir(to, from string) error {
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		return err
	}
	return filepath.WalkDir(to, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.Chmod(path, 0o700)
		}
		return os.Chmod(path, 0o600)
	})
}
