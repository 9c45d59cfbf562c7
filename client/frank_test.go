package client_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/pseudods/pseudods/client"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// TestWhatCannotBeReportedIsNotShown: a sender whose tag does not open to what it
// says, and one who brings another's message, are not heard, and members are told.
func TestWhatCannotBeReportedIsNotShown(t *testing.T) {
	w := newWorld(t)
	g, all := w.circle(client.GroupOptions{}, "alice", "bob", "carol")
	alice, bob, carol := all[0], all[1], all[2]
	dropped := func(text string) {
		t.Helper()
		if e := carol.until(client.EventDropped); e.Member.Name != "alice" || e.Group != g.ID() || e.Sequence == 0 {
			t.Errorf("%s: %v", text, e)
		}
		if n := len(carol.texts()); n != 0 {
			t.Fatalf("%s: carol reads %q", text, carol.texts())
		}
	}
	m := must(alice.in(g).Encrypt([]byte("deny this"), make([]byte, wire.FrankingTagSize)))
	alice.ok(alice.in(g).Bring(t.Context(), m))
	dropped("a tag of something else")

	m = must(alice.in(g).Encrypt([]byte("framed"), nil))
	bob.ok(bob.in(g).Bring(t.Context(), m))
	dropped("a message that another member brought")

	m = must(alice.in(g).Encrypt([]byte("no tag"), make([]byte, 1)))
	if err := alice.in(g).Bring(t.Context(), m); !errors.Is(err, &wire.Error{Code: wire.CodeMalformed}) {
		t.Errorf("a message without a tag: %v", err)
	}
	alice.says(g, "an honest word")
	carol.until(client.EventMessage)
	equal(t, "what carol read", carol.texts(), "alice: an honest word")
}

// TestNewFrankingKey: who knows the service from before looks for its new key
// before it takes a message for one that nobody franked.
func TestNewFrankingKey(t *testing.T) {
	w := newWorld(t)
	g, all := w.circle(client.GroupOptions{}, "alice", "bob")
	alice, bob := all[0], all[1]
	alice.says(g, "by the old key")
	w.stop()
	seed := base64.URLEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))
	if err := os.WriteFile(filepath.Join(w.cfg.Data, "ds", "keys", "signer-0002.secret"), []byte(seed), 0o600); err != nil {
		t.Fatal(err)
	}
	w.start()
	alice.says(g, "by the new key")
	bob.until(client.EventMessage)
	bob.sync()
	equal(t, "what bob read", bob.texts(), "alice: by the old key", "alice: by the new key")
}
