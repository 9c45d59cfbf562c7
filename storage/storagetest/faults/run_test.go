package faults_test

import (
	"errors"
	"maps"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/pseudods/pseudods/storage/storagetest/faults"
)

// cells is a store of two numbers that change together, on a site that can fail
// before, between and after their writes.
type cells struct {
	site  *memory
	down  bool
	shown int // how often, since a step was armed that it reaches in its own time
}

type memory struct {
	disk   map[byte][2]int
	open   *cells
	failAt int // -1 for none
	flaw   string
}

func (m *memory) Open() (*cells, error) {
	m.open, m.failAt = &cells{site: m}, -1
	if m.flaw == "forgets" {
		delete(m.disk, 0)
	}
	if m.flaw != "tears" {
		maps.DeleteFunc(m.disk, func(_ byte, v [2]int) bool { return v[0] != v[1] }) // recovery
	}
	return m.open, nil
}

func (m *memory) Crash() error  { m.open.down = true; return nil }
func (m *memory) Steps() int    { return 4 }
func (m *memory) Fail(step int) { m.failAt = step }
func (*cells) Close() error     { return nil }

var errDown = errors.New("down")

func (c *cells) at(step int) error {
	if c.down = c.down || c.site.failAt == step; c.down {
		return errDown
	}
	return nil
}

func (c *cells) set(n byte) error {
	v := c.site.disk[n]
	if v[1] > 0 && c.site.flaw != "adds again" {
		return nil
	}
	if err := c.at(0); err != nil {
		return err
	}
	v[0]++
	c.site.disk[n] = v
	if err := c.at(1); err != nil {
		if c.site.flaw == "says it is done" {
			return nil
		}
		return err
	}
	v[1] = v[0]
	c.site.disk[n] = v
	return c.at(2)
}

// show fails from the second time on at the last step, which no write reaches.
func (c *cells) show(text string) (string, error) {
	if c.site.failAt == 3 {
		c.shown++
		c.down = c.down || c.shown > 1
	}
	if c.down {
		return "", errDown
	}
	return text, nil
}

var writes = []faults.Write[*cells]{{
	Name: "set",
	Do:   (*cells).set,
	Show: func(c *cells, n byte) (string, error) {
		v := c.site.disk[n]
		return c.show(strings.Repeat("x", v[0]) + "|" + strings.Repeat("x", v[1]))
	},
}, {
	Name: "set another",
	Do:   (*cells).set,
	Show: func(c *cells, n byte) (string, error) { return c.show(strings.Repeat("x", c.site.disk[n][1])) },
}}

const flawEnv = "FAULTS_FLAW"

// TestRun runs the suite on a store that is right, and on such that are not, in
// processes of their own whose tests must fail.
func TestRun(t *testing.T) {
	flaw := os.Getenv(flawEnv)
	faults.Run(t, func(*testing.T) faults.Site[*cells] { return &memory{disk: map[byte][2]int{}, failAt: -1, flaw: flaw} }, writes)
	if flaw != "" {
		return
	}
	for _, flaw := range []string{"forgets", "tears", "adds again", "says it is done"} {
		child := exec.Command(os.Args[0], "-test.run=^TestRun$")
		child.Env = append(os.Environ(), flawEnv+"="+flaw)
		if out, err := child.CombinedOutput(); err == nil || !strings.Contains(string(out), "shows") && !strings.Contains(string(out), "leaves") {
			t.Errorf("a store that %s passes: %v\n%s", flaw, err, out)
		}
	}
}
