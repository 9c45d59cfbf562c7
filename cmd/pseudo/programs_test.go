package main

import (
	"bufio"
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pseudods/pseudods/internal/daemon"
)

// The programs that scripts run beside the real ones. They end on any error.

func must[T any](v T, err error) T {
	ok(err)
	return v
}

func ok(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func fail(format string, args ...any) { ok(fmt.Errorf(format, args...)) }

// storm state group n: has a client send n texts, and change the policy now and
// then, while the client is killed again and again, and the server that it runs
// for that time too. It prints the texts that the client took responsibility for:
// those whose command ended well.
func storm() {
	state, group, n := os.Args[1], os.Args[2], 0
	must(fmt.Sscan(os.Args[3], &n))
	stop, stopped := make(chan struct{}), make(chan struct{})
	var kills atomic.Int32
	// took is what the last client that came through took. Servers and clients are
	// killed at moments that are measured by it, so that on any machine these are in
	// the middle of their work and some clients come through.
	var took atomic.Int64
	took.Store(int64(100 * time.Millisecond))
	some := func(from, to int64) time.Duration {
		return time.Duration(from*took.Load() + rand.N((to-from)*took.Load()))
	}
	go func() {
		defer close(stopped)
		for n := 0; ; n++ {
			ok(daemon.Dir(stormData).Stopped()) // the one before was killed
			server := exec.Command("pseudods", "serve", "-config", "server.json")
			ok(server.Start())
			end := n%4 != 3 && !stands(stop) // every fourth may be killed before it stands
			if !end {
				select {
				case <-stop:
					end = true
				case <-time.After(some(3, 10)):
				}
			}
			ok(server.Process.Kill())
			server.Wait()
			if kills.Add(1); end {
				return
			}
		}
	}()
	killed := 0
	for i := 0; i < n || i < 10*n && (kills.Load() < 2 || killed == 0); i++ {
		text := fmt.Sprintf("text %d", i+1)
		args := []string{"-state", state, "send", group, text}
		if i%6 == 5 {
			args = []string{"-state", state, "group", "policy", group, "-max-members", fmt.Sprint(100 + i)}
		}
		c := exec.Command("pseudo", args...)
		ok(c.Start())
		var once sync.Once
		begin := time.Now()
		if i%3 == 1 {
			time.AfterFunc(some(0, 1), func() { once.Do(func() { c.Process.Kill() }) })
		}
		err := c.Wait()
		once.Do(func() {})
		if err == nil {
			took.Store(max(int64(time.Since(begin)), int64(time.Millisecond)))
		}
		switch {
		case err == nil && args[2] == "send":
			fmt.Println(text)
		case err != nil && c.ProcessState.ExitCode() < 0:
			killed++
		}
	}
	close(stop)
	<-stopped
	if kills.Load() < 2 || killed == 0 {
		fail("%d clients and %d servers were killed: not much of a storm", killed, kills.Load())
	}
}

// stormData is where the storm's server has its data.
const stormData = "pseudods-data"

// stands waits until the server has begun to answer, or reports false once stop is
// closed.
func stands(stop <-chan struct{}) bool {
	for end := time.Now().Add(longest); time.Now().Before(end); {
		if _, err := daemon.Dir(stormData).Running(); err == nil {
			return true
		}
		select {
		case <-stop:
			return false
		case <-time.After(10 * time.Millisecond):
		}
	}
	fmt.Fprintln(os.Stderr, "the server does not come up")
	return true // and every text will be missing
}

// agree sent heard: checks that all texts that were sent were heard, and that what
// was heard came in order and once.
func agree() {
	sent := strings.Split(strings.TrimSpace(string(must(os.ReadFile(os.Args[1])))), "\n")
	last, heard := 0, map[string]bool{}
	for lines := bufio.NewScanner(bytes.NewReader(must(os.ReadFile(os.Args[2])))); lines.Scan(); {
		_, text, found := strings.Cut(lines.Text(), ": text ")
		if !found {
			continue
		}
		n := 0
		must(fmt.Sscan(text, &n))
		if n <= last {
			fail("text %d came after text %d", n, last)
		}
		last, heard["text "+text] = n, true
	}
	for _, text := range sent {
		if !heard[text] {
			fail("%q was sent and never heard", text)
		}
	}
	fmt.Printf("%d sent, %d heard\n", len(sent), len(heard))
}
