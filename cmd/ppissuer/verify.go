package main

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"os"

	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/keyring"
	"github.com/pseudods/pseudods/privacypass/verify"
	"github.com/pseudods/pseudods/privacypass/verify/private"
)

// verifyTokens verifies the tokens in a file, one to a line, with the live keys
// of one class. It keeps no record of them: whether a token was spent before is
// the origin's to know.
func verifyTokens(args []string, stdout, stderr io.Writer) error {
	f := newFlags("verify", stderr).withConfig()
	class := f.String("class", "", "token `class`; default: the first one")
	origin := f.String("origin", "", "`name` of the origin that the tokens are for")
	zeroSalt := f.Bool("zero-salt", false, "expect the variant PSSZERO of type 0x0002")
	if err := f.Read(args, 1); err != nil {
		return err
	}
	c, err := f.load()
	if err != nil {
		return err
	}
	if *class == "" {
		*class = c.Classes[0].Name
	}
	ring, _, err := f.ring()
	if err != nil {
		return err
	}
	var keys []verify.Key
	for _, k := range ring.All() {
		if k.Class != *class {
			continue
		}
		key, err := verifyKey(k, *zeroSalt)
		if err != nil {
			return err
		}
		keys = append(keys, key)
	}
	set, err := verify.NewKeySet(c.Name, keys...)
	if err != nil {
		return err
	}
	file, err := os.Open(f.Arg(0))
	if err != nil {
		return err
	}
	defer file.Close()
	valid, refused := 0, 0
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if err := verifyLine(set, c.Name, *origin, lines.Text()); err != nil {
			fmt.Fprintf(stdout, "token %d: %v\n", valid+refused+1, err)
			refused++
		} else {
			valid++
		}
	}
	fmt.Fprintf(stdout, "%d valid, %d refused\n", valid, refused)
	if refused > 0 || valid == 0 {
		return fmt.Errorf("%d tokens refused", refused)
	}
	return nil
}

func verifyKey(k *keyring.Key, zeroSalt bool) (verify.Key, error) {
	switch {
	case k.Slot.Type == privacypass.BlindRSA && zeroSalt:
		return verify.NewBlindRSA(k.PublicKey(), verify.PSSZero)
	case k.Slot.Type == privacypass.BlindRSA:
		return verify.NewBlindRSA(k.PublicKey())
	}
	content := k.Key.Marshal()
	defer content.Wipe()
	return private.NewKey(content)
}

func verifyLine(set *verify.KeySet, name, origin, line string) error {
	b, err := base64.URLEncoding.Strict().DecodeString(line)
	if err != nil {
		return err
	}
	token, err := privacypass.ParseToken(b)
	if err != nil {
		return err
	}
	challenge := &privacypass.TokenChallenge{TokenType: token.TokenType, IssuerName: name}
	if origin != "" {
		challenge.OriginInfo = []string{origin}
	}
	expected, err := verify.Expect(challenge)
	if err != nil {
		return err
	}
	_, err = set.Verify(token, expected)
	return err
}
