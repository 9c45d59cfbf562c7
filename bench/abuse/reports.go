package abuse

import (
	"context"
	"slices"
	"time"

	"github.com/pseudods/pseudods/pseudods/wire"
)

// talk is how many messages the accused has sent.
const talk = 8

var falseReports = Scenario{
	Name: "false-reports", Models: []string{"S17"},
	Attacker: "each account is a member of one group with the accused, and once a second reports it: for messages that it altered, for true ones out of another epoch, and for each choice of the harmless messages that the accused has sent, all together so that none reports what another has",
	Load:     "the accused has sent eight harmless messages; a bystander reports one message of an attacker every half a minute",
	Effect:   "a case for somebody to decide in which nobody has done anything",
	Sessions: 2, Window: 20 * time.Minute, Quick: 4 * time.Minute,
	Play: playFalseReports,
}

func playFalseReports(ctx context.Context, w *World) error {
	honest, err := w.Home.Party(Honest)
	if err != nil {
		return err
	}
	accused, err := honest.crowd(ctx, 2)
	if err != nil {
		return err
	}
	bystander := accused.crew[0]
	reporters, err := w.insiders(ctx)
	if err != nil {
		return err
	}
	if err := accused.Add(ctx, reporters...); err != nil {
		return err
	}
	all := append([]*Insider{accused, bystander}, reporters...)
	hear := func() error {
		for _, i := range all {
			if err := i.Hear(ctx); err != nil {
				return err
			}
		}
		return nil
	}
	// What the accused has said comes first, then what an attacker has.
	for n := range talk + 64 {
		if n == talk {
			if err := hear(); err != nil {
				return err
			}
		}
		from, text := accused, "good morning"
		if n >= talk {
			from, text = reporters[0], "buy"
		}
		if err := from.Say(ctx, []byte(text)); err != nil {
			return err
		}
		if err := w.Sleep(ctx, time.Second); err != nil { // so that no limit is met
			return err
		}
	}
	if err := hear(); err != nil {
		return err
	}
	proper := 0
	w.Go(func(ctx context.Context) error {
		sent := 0
		return w.Daily(ctx, func(ctx context.Context) error {
			for {
				if err := w.Sleep(ctx, 30*time.Second); err != nil {
					return err
				}
				got := w.Want()
				err := bystander.Report(ctx, reporters[0], bystander.Franked[talk+sent%64:][:1])
				sent++
				if err == nil {
					proper++
					got()
				} else if err := unlessRefused(err); err != nil {
					return err
				}
			}
		})
	})
	next := 0 // of all reporters together
	for _, i := range reporters {
		w.Attack(func(ctx context.Context) error {
			return w.Daily(ctx, func(ctx context.Context) error {
				return i.every(ctx, time.Second, func() error {
					next++
					return i.Report(ctx, accused, i.falsehood(next))
				})
			})
		})
	}
	if err := w.Run(); err != nil {
		return err
	}
	cases, err := w.Home.Docket.Waiting(ctx)
	if err != nil {
		return err
	}
	w.Effect(max(0, cases-proper))
	return nil
}

// falsehood is the n-th thing to report of the accused: by turns altered messages,
// messages of another epoch, and a choice of the true ones.
func (i *Insider) falsehood(n int) []wire.FrankedMessage {
	messages := slices.Clone(i.Franked[:talk])
	switch n % 3 {
	case 0:
		messages[0].Content = []byte("something terrible")
		return messages[:1]
	case 1:
		messages[0].Epoch++
		return messages[:1]
	}
	choice := messages[:0]
	for bit := range talk {
		if (n/3+1)>>bit&1 == 1 {
			choice = append(choice, i.Franked[bit])
		}
	}
	if len(choice) == 0 {
		choice = append(choice, i.Franked[0])
	}
	return choice
}

// Report reports messages that another insider is said to have sent.
func (i *Insider) Report(ctx context.Context, accused *Insider, messages []wire.FrankedMessage) error {
	body := &wire.AbuseReport{Group: i.ID(), Credential: accused.Pseudonym.Credential, SignatureKey: accused.MLS.Signer.Public(),
		LinkKey: accused.Pseudonym.LinkKey.Bytes, Messages: messages, Reason: wire.ReasonSpam}
	return i.Ask(ctx, wire.OpReportAbuse, body, nil)
}
