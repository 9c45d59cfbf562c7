package balance_test

import (
	"io"
	"net"
	"testing"

	"github.com/pseudods/pseudods/internal/balance"
)

// answering is a server that sends its name and what it reads.
func answering(t *testing.T, name string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				b := make([]byte, 1)
				io.ReadFull(c, b)
				io.WriteString(c, name+string(b))
			}()
		}
	}()
	return l.Addr().String()
}

// dead is an address at which nobody listens.
const dead = "127.0.0.1:1"

func ask(t *testing.T, at string) (string, error) {
	t.Helper()
	c, err := net.Dial("tcp", at)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if _, err := io.WriteString(c, "!"); err != nil {
		return "", err
	}
	b, err := io.ReadAll(c)
	return string(b), err
}

func TestListen(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().String()
	stop := balance.Serve(l, answering(t, "a"), dead, answering(t, "b"))
	seen := map[string]int{}
	for range 64 {
		answer, err := ask(t, at)
		if err != nil {
			t.Fatal(err)
		}
		seen[answer]++
	}
	if seen["a!"] == 0 || seen["b!"] == 0 || seen["a!"]+seen["b!"] != 64 {
		t.Errorf("answered %v", seen)
	}
	if _, err := balance.Listen(at); err == nil {
		t.Error("two listen at one address")
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if answer, err := ask(t, at); err == nil {
		t.Errorf("stopped, it answers %q", answer)
	}
}
