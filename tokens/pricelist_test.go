package tokens_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/tokens"
)

const validList = `{"classes":{"create":{"issuer":"create.issuer.example","token-type":2},` +
	`"send":{"issuer":"send.issuer.example","token-type":5}},` +
	`"prices":{"create-group":{"class":"create","count":3},"send-message":{"class":"send","count":1}}}`

func TestPriceListRoundTrip(t *testing.T) {
	for _, form := range []string{validList, " \n" + strings.ReplaceAll(validList, ",", " ,\n") + "\n", `{"prices":{},"classes":{}}`} {
		l, err := tokens.ParsePriceList([]byte(form))
		if err != nil {
			t.Fatalf("%s: %v", form, err)
		}
		published, err := l.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if len(l.Classes) > 0 && string(published) != validList {
			t.Fatalf("published %s", published)
		}
		if _, err := tokens.ParsePriceList(published); err != nil {
			t.Fatal(err)
		}
	}
	l, _ := tokens.ParsePriceList([]byte(validList))
	if got := l.Prices["create-group"]; got != (tokens.Price{Class: tokens.Create, Count: 3}) {
		t.Fatalf("price %+v", got)
	}
	if got := l.Classes[tokens.Send].TokenType; got != privacypass.VOPRFRistretto255 {
		t.Fatalf("token type %v", got)
	}
}

func TestPriceListIsStrict(t *testing.T) {
	for n := range validList {
		if _, err := tokens.ParsePriceList([]byte(validList[:n])); !errors.Is(err, tokens.ErrPriceList) {
			t.Fatalf("a prefix of %d octets: %v", n, err)
		}
	}
	change := func(old, new string) string {
		if !strings.Contains(validList, old) {
			t.Fatalf("%q is not in the list", old)
		}
		return strings.Replace(validList, old, new, 1)
	}
	for name, form := range map[string]string{
		"trailing octet":      validList + "0",
		"trailing object":     validList + "{}",
		"unknown member":      change(`"class":"send"`, `"class":"send","extra":1`),
		"member's case":       change(`"prices"`, `"Prices"`),
		"missing member":      change(`,"count":1`, ``),
		"repeated member":     change(`"count":1`, `"count":1,"count":2`),
		"repeated operation":  change(`"send-message"`, `"create-group"`),
		"repeated class":      change(`"send":{`, `"create":{`),
		"class without terms": change(`"class":"send"`, `"class":"sand"`),
		"empty issuer":        change(`send.issuer.example`, ``),
		"issuer's characters": change(`send.issuer`, `send\u0000issuer`),
		"no tokens":           change(`"count":1`, `"count":0`),
		"negative count":      change(`"count":1`, `"count":-1`),
		"too many tokens":     change(`"count":1`, fmt.Sprint(`"count":`, tokens.MaxCount+1)),
		"fraction":            change(`"count":1`, `"count":1.0`),
		"count as string":     change(`"count":1`, `"count":"1"`),
		"null":                change(`"count":1`, `"count":null`),
		"unknown type":        change(`"token-type":5`, `"token-type":6`),
		"reserved type":       change(`"token-type":5`, `"token-type":0`),
		"type's range":        change(`"token-type":5`, `"token-type":65541`),
		"class's name":        change(`"send":{`, `"Send":{`),
		"operation's name":    change(`send-message`, `send message`),
		"operation's length":  change(`send-message`, strings.Repeat("a", 33)),
		"array":               `[]`,
		"empty":               ``,
		"too long":            validList + strings.Repeat(" ", tokens.MaxPriceList),
	} {
		if l, err := tokens.ParsePriceList([]byte(form)); !errors.Is(err, tokens.ErrPriceList) || l != nil {
			t.Errorf("%s: got %v", name, err)
		}
	}
	var many bytes.Buffer
	for i := range tokens.MaxOperations + 1 {
		fmt.Fprintf(&many, `"o%d":{"class":"send","count":1},`, i)
	}
	if _, err := tokens.ParsePriceList([]byte(change(`"create-group"`, many.String()+`"create-group"`))); !errors.Is(err, tokens.ErrPriceList) {
		t.Errorf("too many operations: %v", err)
	}
}

func TestMarshalRefusesWhatItCannotSay(t *testing.T) {
	l, _ := tokens.ParsePriceList([]byte(validList))
	l.Prices["x y"] = tokens.Price{Class: tokens.Send, Count: 1}
	if _, err := l.Marshal(); !errors.Is(err, tokens.ErrPriceList) {
		t.Fatalf("got %v", err)
	}
}

func TestChallenge(t *testing.T) {
	l, _ := tokens.ParsePriceList([]byte(validList))
	origin := tokens.Origin{Name: "ds.example"}
	c, err := l.Challenge(tokens.Send, origin)
	if err != nil {
		t.Fatal(err)
	}
	if c.IssuerName != "send.issuer.example" || c.TokenType != privacypass.VOPRFRistretto255 ||
		len(c.RedemptionContext) != 0 || !c.AllowsOrigin("ds.example") || c.AllowsOrigin("other.example") {
		t.Fatalf("%+v", c)
	}
	origin.Scope = bytes.Repeat([]byte{7}, 32)
	scoped, err := l.Challenge(tokens.Send, origin)
	if err != nil {
		t.Fatal(err)
	}
	digest, _ := c.Digest()
	if other, _ := scoped.Digest(); other == digest {
		t.Fatal("the scope makes no difference")
	}
	origin.Scope = make([]byte, 31)
	if _, err := l.Challenge(tokens.Send, origin); !errors.Is(err, privacypass.ErrInvalid) {
		t.Fatalf("a scope of 31 octets: %v", err)
	}
	if _, err := l.Challenge(tokens.Queue, tokens.Origin{Name: "ds.example"}); !errors.Is(err, tokens.ErrPriceList) {
		t.Fatalf("a class without terms: %v", err)
	}
}
