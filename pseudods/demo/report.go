package demo

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/pseudods/pseudods/client"
	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/client/vault"
	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/pseudods/moderation"
	"github.com/pseudods/pseudods/pseudods/server"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// accountsFile holds the account keys that the provider's issuer knows.
const accountsFile = "accounts.keys"

// enrol has the issuer know the key of an account that is begun.
func (s *stage) enrol(v *vault.Vault) error {
	key, err := account.StoredKey(v)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.dir, accountsFile), []byte(base64.URLEncoding.EncodeToString(key)+"\n"), 0o600)
}

func (s *stage) report() error {
	s.scene("Bob reports a spammer")
	bob := s.people[1]
	mallory, err := s.join("mallory", true)
	if err != nil {
		return err
	}
	s.say("mallory becomes a user whose identity's key is an account key at the issuer")
	if err := s.introduce(mallory, bob); err != nil {
		return err
	}
	if _, err := mallory.CreateGroup(s.ctx, "offers", client.GroupOptions{}); err != nil {
		return err
	}
	theirs, err := mallory.Group("offers")
	if err != nil {
		return err
	}
	contact, err := mallory.Account().Contact(bob.name + "@" + domain)
	if err != nil {
		return err
	}
	if err := theirs.Invite(s.ctx, contact); err != nil {
		return err
	}
	if _, err := bob.until(client.EventJoined); err != nil {
		return err
	}
	const spam = "buy my pills, all of you"
	if err := theirs.Send(s.ctx, []byte(spam)); err != nil {
		return err
	}
	s.said = append(s.said, spam)
	s.say("mallory: %s", spam)
	e, err := bob.until(client.EventMessage)
	if err != nil {
		return err
	}
	for _, g := range bob.Groups() {
		if g.ID() != e.Group {
			continue
		}
		if _, err := g.Report(s.ctx, client.Report{User: e.Member.User, Last: 1, Reason: wire.ReasonSpam}); err != nil {
			return err
		}
	}
	s.say("bob shows the message, with what mallory and the service have signed, and opens mallory's identity link")
	s.learned()
	return s.decide(spam)
}

// decide plays the operator, who upholds the one report that there is.
func (s *stage) decide(spam string) error {
	admin, err := daemon.Dir(s.data).ReadSecret(daemon.AdminFile)
	if err != nil {
		return err
	}
	keys, err := server.Config{Domain: domain, Data: s.data}.ModerationKeys("")
	if err != nil {
		return err
	}
	docket := &moderation.Remote{URL: s.admin, HTTP: http.DefaultClient, Authorize: func(r *http.Request) { daemon.Authorize(r, admin) }}
	decided := 0
	err = docket.Each(s.ctx, func(c *moderation.Remoted) error {
		opened, err := c.Open(keys)
		if err != nil {
			return err
		}
		shown := c.Shown(opened).Report
		if shown.Accused.Name != "mallory@"+domain || len(shown.Messages) != 1 || shown.Messages[0].Text != spam {
			return fmt.Errorf("%w: the report is about %+v", errStory, shown)
		}
		decided++
		s.say("the operator opens the report with the moderation key: %q of %s, and nothing about bob", shown.Messages[0].Text, shown.Accused.Name)
		return docket.Decide(s.ctx, c.ID, moderation.Outcome{State: moderation.Upheld, Weight: attester.Normal}, opened.Opening())
	})
	if err != nil {
		return err
	}
	if decided != 1 {
		return fmt.Errorf("%w: %d reports", errStory, decided)
	}
	for end := time.Now().Add(wait); ; time.Sleep(20 * time.Millisecond) {
		metrics, err := s.metrics()
		if err != nil {
			return err
		}
		if bytes.Contains(metrics, []byte(`ppissuer_verdicts_total{outcome="applied"} 1`)) {
			break
		}
		if time.Now().After(end) {
			return errors.Join(errStory, errors.New("the verdict does not arrive"))
		}
	}
	s.say("the issuer learns that a report on one of its accounts was upheld, and no group, message or reporter:")
	s.say("from tomorrow mallory gets half as many tokens for two days, then more again, and is told nothing")
	return nil
}
