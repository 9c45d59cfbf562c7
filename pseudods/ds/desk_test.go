package ds_test

import (
	"errors"
	"testing"

	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/pseudods/ds"
	"github.com/pseudods/pseudods/pseudods/wire"
	"github.com/pseudods/pseudods/tokens"
)

// TestDesk: an operation in the price list is refused without a token that
// verifies, and says what it wants; others are free and take none. That a token
// that verifies is spent once is shown beside the till and the ledger.
func TestDesk(t *testing.T) {
	list := must(tokens.ParsePriceList([]byte(`{"classes": {"send": {"issuer": "issuer.example", "token-type": 5}},
		"prices": {"send-message": {"class": "send", "count": 1}}}`)))
	desk := ds.NewDesk(must(tokens.NewTill(list, tokens.Origin{Name: domain}, nil)), nil)
	_, err := desk.Verify(wire.OpSendMessage, nil)
	var refused *wire.Error
	if !errors.As(err, &refused) || refused.Code != wire.CodeTokenRequired || len(refused.Challenges) != 1 {
		t.Fatalf("got %v", err)
	}
	wanted := must(privacypass.ParseChallenges(refused.Challenges))
	if c := must(privacypass.ParseTokenChallenge(wanted[0].Challenge)); c.IssuerName != "issuer.example" {
		t.Errorf("the challenge names %q", c.IssuerName)
	}
	for name, tokens := range map[string][][]byte{
		"no token":           {{1, 2, 3}},
		"one of a wrong key": {append([]byte{0, 5}, make([]byte, 32+32+32+64)...)},
		"far too many":       make([][]byte, 100),
	} {
		if _, err := desk.Verify(wire.OpSendMessage, tokens); !errors.Is(err, &wire.Error{Code: wire.CodeTokenInvalid}) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if p, err := desk.Verify(wire.OpWelcomeInfo, nil); p != nil || err != nil {
		t.Errorf("a free operation: %v, %v", p, err)
	}
	if _, err := desk.Verify(wire.OpWelcomeInfo, [][]byte{{0}}); !errors.Is(err, &wire.Error{Code: wire.CodeTokenInvalid}) {
		t.Errorf("a token for a free operation: %v", err)
	}
}
