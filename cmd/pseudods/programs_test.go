package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/pseudods/pseudods/client"
	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/client/vault"
	"github.com/pseudods/pseudods/internal/secret"
	issuer "github.com/pseudods/pseudods/privacypass/client/httpapi"
)

// The programs that scripts run beside pseudods. They end on any error.

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

// config is that of a client whose files are in a directory, at the provider
// "localhost" whose delivery service is at a URL.
func config(dir, url string) client.Config {
	v := must(vault.Open(dir, secret.New(make([]byte, 32))))
	return client.Config{Account: account.Config{Vault: v, Attestor: issuer.ProofOfWork(rand.Reader), Providers: map[string]string{"localhost": url}}}
}

// meet directory url: makes alice and bob, who are contacts and share a group.
func meet() {
	ctx := context.Background()
	ok(os.MkdirAll(os.Args[1], 0o700))
	alice := must(client.Create(ctx, config(filepath.Join(os.Args[1], "alice"), os.Args[2]), "alice", "localhost"))
	bob := must(client.Create(ctx, config(filepath.Join(os.Args[1], "bob"), os.Args[2]), "bob", "localhost"))
	wait := func(c *client.Client, kind client.EventKind) {
		for end := time.Now().Add(longest); ; {
			for _, e := range must(c.Sync(ctx, time.Second)) {
				if e.Kind == kind {
					return
				}
			}
			if time.Now().After(end) {
				ok(fmt.Errorf("no event %d", kind))
			}
		}
	}
	ok(alice.Account().Connect(ctx, must(bob.Account().Card()), []byte("hello")))
	wait(bob, client.EventOffer)
	ok(bob.Account().Accept(ctx, "alice"))
	wait(alice, client.EventContact)
	group := must(alice.CreateGroup(ctx, "group", client.GroupOptions{}))
	ok(group.Invite(ctx, must(alice.Account().Contact("bob"))))
	wait(bob, client.EventJoined)
	ok(bob.Taken())
	ok(errors.Join(alice.Close(), bob.Close()))
}

// open opens a client of meet, over a server that may come and go.
func open(name string) *client.Client {
	for end := time.Now().Add(longest); ; time.Sleep(50 * time.Millisecond) {
		cfg := config(filepath.Join(os.Args[1], name), os.Args[2])
		c, err := client.Open(context.Background(), cfg)
		if err == nil {
			return c
		}
		ok(cfg.Account.Vault.Close())
		if time.Now().After(end) {
			ok(err)
		}
	}
}

// talk directory url n marker: alice says n things. It makes the marker file when
// it has said some of them. What the server did not answer is said until it does.
func talk() {
	ctx := context.Background()
	alice, n := open("alice"), must(strconv.Atoi(os.Args[3]))
	group := must(alice.Group("group"))
	for i := range n {
		if i == 3 {
			ok(os.WriteFile(os.Args[4], nil, 0o600))
		}
		err := group.Send(ctx, fmt.Appendf(nil, "%d", i))
		for end := time.Now().Add(longest); err != nil || group.Outbox() > 0; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				ok(fmt.Errorf("message %d does not get out: %w", i, err))
			}
			_, err = alice.Sync(ctx, 0)
		}
	}
	ok(alice.Close())
	fmt.Printf("said %d things\n", n)
}

// heard directory url n: bob hears what alice said: each once, in order.
func heard() {
	bob, n := open("bob"), must(strconv.Atoi(os.Args[3]))
	next := 0
	for end := time.Now().Add(longest); next < n; {
		events, err := bob.Sync(context.Background(), time.Second)
		for _, e := range events {
			if e.Kind != client.EventMessage {
				continue
			}
			if string(e.Text) != strconv.Itoa(next) {
				ok(fmt.Errorf("heard %q, want %d", e.Text, next))
			}
			next++
		}
		if time.Now().After(end) {
			ok(fmt.Errorf("heard %d things: %w", next, err))
		}
	}
	for range 3 {
		for _, e := range must(bob.Sync(context.Background(), 100*time.Millisecond)) {
			if e.Kind == client.EventMessage {
				ok(fmt.Errorf("heard %q again", e.Text))
			}
		}
	}
	ok(bob.Taken())
	ok(bob.Close())
	fmt.Printf("heard %d things in order\n", n)
}

// fetch [-post] url: prints a status and a page.
func fetch() {
	method, url := http.MethodGet, os.Args[1]
	if url == "-post" {
		method, url = http.MethodPost, os.Args[2]
	}
	res := must(http.DefaultClient.Do(must(http.NewRequest(method, url, nil))))
	defer res.Body.Close()
	fmt.Println(res.StatusCode)
	must(io.Copy(os.Stdout, res.Body))
}
