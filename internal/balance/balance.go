// Package balance is a TCP balancer for runs of several servers behind one address, as
// an operator's would be. It is for tests and benchmarks: it limits nothing.
package balance

import (
	"io"
	"math/rand/v2"
	"net"
)

// Listen passes connections that come at an address to one of the servers that answer,
// at random, until it is stopped: then it takes no new ones. A connection for which no
// server answers is closed.
func Listen(at string, servers ...string) (stop func() error, err error) {
	l, err := net.Listen("tcp", at)
	if err != nil {
		return nil, err
	}
	return Serve(l, servers...), nil
}

// Serve is Listen on a listener that is there already.
func Serve(l net.Listener, servers ...string) (stop func() error) {
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go pass(client, servers)
		}
	}()
	return l.Close
}

func pass(client net.Conn, servers []string) {
	defer client.Close()
	for _, i := range rand.Perm(len(servers)) {
		server, err := net.Dial("tcp", servers[i])
		if err != nil {
			continue
		}
		go func() {
			io.Copy(server, client)
			server.Close()
		}()
		io.Copy(client, server)
		return
	}
}
