package crash

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"time"
)

// etcdNodes is how many nodes etcd has: it goes on without one of them.
const etcdNodes = 3

// etcdNode is one of the nodes of etcd.
type etcdNode struct {
	name, client, peer string // addresses
	program            *program
}

// startEtcd starts etcd on loopback.
func (p *patroni) startEtcd() error {
	var cluster []string
	for i := range etcdNodes {
		n := &etcdNode{name: fmt.Sprint("etcd", i+1)}
		for _, address := range []*string{&n.client, &n.peer} {
			var err error
			if *address, err = freePort(); err != nil {
				return err
			}
		}
		p.etcd, cluster = append(p.etcd, n), append(cluster, n.name+"=http://"+n.peer)
	}
	for _, n := range p.etcd {
		client, peer := "http://"+n.client, "http://"+n.peer
		n.program = p.program(n.name, "etcd", "--name", n.name, "--data-dir", filepath.Join(p.dir, n.name), "--listen-client-urls", client, "--advertise-client-urls", client,
			"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", strings.Join(cluster, ","), "--initial-cluster-state", "new")
		if err := n.program.start(); err != nil {
			return err
		}
	}
	return p.await("a whole etcd", p.etcdWhole)
}

// etcdHosts are the addresses of all nodes, as Patroni takes them from its environment.
func (p *patroni) etcdHosts() string {
	var hosts []string
	for _, n := range p.etcd {
		hosts = append(hosts, "'"+n.client+"'")
	}
	return strings.Join(hosts, ",")
}

// says returns what a node answers about itself, or nothing.
func (n *etcdNode) says(path string) string {
	probe := &http.Client{Timeout: 2 * time.Second}
	res, err := probe.Get("http://" + n.client + path)
	if err != nil {
		return ""
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return ""
	}
	return string(b)
}

// etcdWhole reports whether all nodes know of a leader and can write.
func (p *patroni) etcdWhole() bool {
	for _, n := range p.etcd {
		if !strings.Contains(n.says("/health"), `"health":"true"`) {
			return false
		}
	}
	return true
}

// killEtcd ends the leader of etcd. The others choose another, and whether the leader of
// the servers kept its place meanwhile is told.
func (p *patroni) killEtcd() (string, func() error, error) {
	const what = "leader of etcd"
	var victim *etcdNode
	for _, n := range p.etcd {
		if strings.Contains(n.says("/metrics"), "\netcd_server_is_leader 1\n") {
			victim = n
		}
	}
	leader := p.with("leader")
	if victim == nil || leader == nil {
		return what, nil, fmt.Errorf("crash: there is no %s, or no leader beside it", what)
	}
	begun := time.Now()
	back := func() error {
		err := p.await("another "+what, func() bool {
			for _, n := range p.etcd {
				if n != victim && strings.Contains(n.says("/metrics"), "\netcd_server_is_leader 1\n") {
					return true
				}
			}
			return false
		})
		if err != nil {
			return err
		}
		another := time.Since(begun)
		time.Sleep(etcdAway)
		if err := victim.program.start(); err != nil {
			return err
		}
		if err := p.await("a whole etcd", func() bool { return p.etcdWhole() && p.whole(context.Background()) }); err != nil {
			return err
		}
		kept := "kept its place"
		if p.with("leader") != leader {
			kept = "lost its place"
		}
		fmt.Fprintf(p.progress, "the %s, %s, was killed: another after %.1f s, all three after %.1f s; the leader of the servers, %s, %s\n",
			what, victim.name, another.Seconds(), time.Since(begun).Seconds(), leader.name, kept)
		return nil
	}
	return what, back, victim.program.kill()
}

// etcdAway is how long a killed node of etcd stays away: longer than a leader of the
// servers may be without it.
const etcdAway = 25 * time.Second
