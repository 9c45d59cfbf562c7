package pgtest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Cut is the moment at which a [Proxy] loses connections.
type Cut int

const (
	// BeforeStatement: the server does not get the statement.
	BeforeStatement Cut = iota
	// BeforeAnswer: the server has carried the statement out, and the client does
	// not get the answer.
	BeforeAnswer
	cuts
)

// Cuts is how many moments there are.
const Cuts = int(cuts)

// Proxy stands between clients and a server, and loses their connections when it
// is told to.
type Proxy struct {
	listener net.Listener
	dir      string
	server   string

	// mu guards what follows.
	mu    sync.Mutex
	armed bool
	cut   Cut
	times int // how many statements are still to be cut; negative for all
	done  int // how many were
	conns map[net.Conn]bool

	slow     atomic.Int64 // nanoseconds
	accepted atomic.Int64
}

// NewProxy starts a proxy in front of a server.
func NewProxy(t testing.TB, c *Cluster) *Proxy {
	t.Helper()
	p := &Proxy{server: c.Socket(), conns: map[net.Conn]bool{}}
	var err error
	if p.dir, err = os.MkdirTemp("", "pgproxy"); err == nil {
		p.listener, err = net.Listen("unix", filepath.Join(p.dir, filepath.Base(p.server)))
	}
	if err == nil { // a router's server runs as another user
		err = errors.Join(os.Chmod(p.dir, 0o755), os.Chmod(filepath.Join(p.dir, filepath.Base(p.server)), 0o777))
	}
	if err != nil {
		t.Fatal(err)
	}
	go p.accept()
	t.Cleanup(func() {
		p.listener.Close()
		p.drop()
		os.RemoveAll(p.dir)
	})
	return p
}

// URL is the connection string of a database through the proxy.
func (p *Proxy) URL(d *Database) string {
	return fmt.Sprintf("postgres://%s@/%s?host=%s", d.login("_app"), d.name, p.dir)
}

// OwnerURL is [Database.OwnerURL] through the proxy.
func (p *Proxy) OwnerURL(d *Database) string {
	return fmt.Sprintf("postgres://%s@/%s?host=%s", d.login("_owner"), d.name, p.dir)
}

// Slow makes a client's messages arrive one by one, and that long after each other.
func (p *Proxy) Slow(pause time.Duration) { p.slow.Store(int64(pause)) }

// Accepted is how many connections there have been.
func (p *Proxy) Accepted() int { return int(p.accepted.Load()) }

// Arm loses the connections of the next statements, so many times, or of all
// from now on if times is negative.
func (p *Proxy) Arm(cut Cut, times int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.armed, p.cut, p.times, p.done = true, cut, times, 0
}

// Disarm ends what Arm began, and returns how many statements were cut.
func (p *Proxy) Disarm() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.armed = false
	return p.done
}

// due says whether a statement is to be cut, and when.
func (p *Proxy) due() (Cut, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.armed || p.times == 0 {
		return 0, false
	}
	p.times--
	p.done++
	return p.cut, true
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("unix", p.server)
		if err != nil {
			client.Close()
			continue
		}
		p.mu.Lock()
		p.conns[client], p.conns[server] = true, true
		p.mu.Unlock()
		p.accepted.Add(1)
		go p.serve(client, server)
	}
}

// drop ends all connections.
func (p *Proxy) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
}

func (p *Proxy) serve(client, server net.Conn) {
	var swallow sync.Mutex // held once the answer is to be lost
	defer func() {
		p.mu.Lock()
		delete(p.conns, client)
		delete(p.conns, server)
		p.mu.Unlock()
		client.Close()
		server.Close()
	}()
	lost := make(chan bool)    // closed when the answer is to be lost
	arrived := make(chan bool) // closed when the server answered after that
	go func() {
		defer close(arrived)
		buf := make([]byte, 64<<10)
		for {
			n, err := server.Read(buf)
			if err != nil {
				client.Close()
				return
			}
			swallow.Lock()
			select {
			case <-lost:
				swallow.Unlock()
				return
			default:
			}
			_, err = client.Write(buf[:n])
			swallow.Unlock()
			if err != nil {
				return
			}
		}
	}()
	first := true
	for {
		kind, frame, err := readFrame(client, first)
		if err != nil {
			return
		}
		first = false
		time.Sleep(time.Duration(p.slow.Load()))
		// A statement is carried out by Execute, or by Query.
		if kind == 'E' || kind == 'Q' {
			if cut, ok := p.due(); ok {
				if cut == BeforeStatement {
					return
				}
				swallow.Lock()
				close(lost)
				swallow.Unlock()
				if _, err := server.Write(frame); err != nil {
					return
				}
				// Sync ends the statement's transaction.
				if kind == 'E' {
					_, sync, err := readFrame(client, false)
					if err != nil {
						return
					}
					if _, err := server.Write(sync); err != nil {
						return
					}
				}
				<-arrived
				return
			}
		}
		if _, err := server.Write(frame); err != nil {
			return
		}
	}
}

// readFrame reads one message of a client. The first has no type.
func readFrame(r io.Reader, first bool) (kind byte, frame []byte, err error) {
	head := make([]byte, 5)
	if first {
		head = head[:4]
	}
	if _, err := io.ReadFull(r, head); err != nil {
		return 0, nil, err
	}
	if !first {
		kind = head[0]
	}
	size := binary.BigEndian.Uint32(head[len(head)-4:])
	if size < 4 || size > 1<<26 {
		return 0, nil, io.ErrUnexpectedEOF
	}
	frame = append(head, make([]byte, size-4)...)
	_, err = io.ReadFull(r, frame[len(head):])
	return kind, frame, err
}
