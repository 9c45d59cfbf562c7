package crash

import (
	"io"
	"math/rand/v2"
	"net"
)

// balance passes connections to one of the servers that answer, until it is
// stopped.
func balance(at string, servers []string) (stop func() error, err error) {
	l, err := net.Listen("tcp", at)
	if err != nil {
		return nil, err
	}
	pass := func(client net.Conn) {
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
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go pass(client)
		}
	}()
	return l.Close, nil
}
