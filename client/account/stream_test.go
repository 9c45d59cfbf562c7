package account_test

import (
	"errors"
	"testing"
	"time"

	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/pseudods/httpapi"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// listen has the person read by a stream from now on.
func (p *person) listen() {
	p.Helper()
	p.cfg.Stream = true
	p.restart()
}

func TestStream(t *testing.T) {
	s := newSite(t)
	alice := s.join("alice")
	c, _ := alice.channelOf(1)
	c.say("before")
	alice.listen()
	in, err := alice.Receive(s.ctx, 0)
	s.must(err)
	alice.wantTexts(in, "before")
	in, err = alice.Receive(s.ctx, 0)
	s.must(err)
	alice.wantTexts(in, "before") // not acknowledged
	s.must(alice.Ack(s.ctx, in[0].Seq))
	if in, err := alice.Receive(s.ctx, 50*time.Millisecond); err != nil || len(in) != 0 {
		t.Fatalf("%d entries, %v", len(in), err)
	}
	for _, text := range []string{"one", "two", "three"} {
		go func() {
			time.Sleep(20 * time.Millisecond)
			c.say(text)
		}()
		in, err := alice.Receive(s.ctx, time.Minute)
		s.must(err)
		alice.wantTexts(in, text)
		if in[0].Lost {
			t.Error("a gap that is none")
		}
		s.must(alice.Ack(s.ctx, in[0].Seq))
	}
	if n := s.took(wire.OpReadQueue); n != 1 { // that of the creation
		t.Errorf("%d reads besides the stream", n)
	}
	// A call that ends does not end the stream.
	ctx, cancel := shortly(s.ctx)
	defer cancel()
	if _, err := alice.Receive(ctx, time.Minute); !errors.Is(err, httpapi.ErrTransport) {
		t.Fatal(err)
	}
	c.say("four")
	in, err = alice.Receive(s.ctx, time.Minute)
	s.must(err)
	alice.wantTexts(in, "four")
}

// TestStreamEnds: a newer reader, a service that goes away, and the account's end.
func TestStreamEnds(t *testing.T) {
	s := newSite(t)
	alice := s.join("alice")
	c, _ := alice.channelOf(1)
	alice.listen()
	if in, err := alice.Receive(s.ctx, 0); err != nil || len(in) != 0 {
		t.Fatalf("%d entries, %v", len(in), err)
	}
	if _, err := s.queues.Read(s.ctx, alice.Queue(), 0, 1, 0); err != nil {
		t.Fatal(err)
	}
	_, err := alice.Receive(s.ctx, time.Minute)
	s.want(err, account.ErrReplaced)
	c.say("again")
	in, err := alice.Receive(s.ctx, time.Minute) // by a new stream
	s.must(err)
	alice.wantTexts(in, "again")
	s.must(alice.Ack(s.ctx, in[0].Seq))
	if in, err := alice.Receive(s.ctx, 0); err != nil || len(in) != 0 {
		t.Fatalf("%d entries, %v", len(in), err)
	}
	s.queues.Close()
	_, err = alice.Receive(s.ctx, time.Minute)
	s.want(err, httpapi.ErrTransport)
	alice.net.lose(always(httpapi.PathQueueStream))
	_, err = alice.Receive(s.ctx, time.Minute)
	s.want(err, httpapi.ErrTransport)
}

// TestStreamOfAClosedAccount ends a reader that waits.
func TestStreamOfAClosedAccount(t *testing.T) {
	s := newSite(t)
	alice := s.join("alice")
	alice.listen()
	_, err := alice.Receive(s.ctx, 0)
	s.must(err)
	go func() {
		time.Sleep(50 * time.Millisecond)
		alice.Account.Close()
	}()
	if _, err := alice.Receive(s.ctx, time.Minute); err == nil {
		t.Fatal("a closed account receives")
	}
}
