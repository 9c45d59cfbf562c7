package privacypass_test

import (
	"crypto/rand"
	"fmt"
	"log"

	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/client"
	"github.com/pseudods/pseudods/privacypass/issuer"
	"github.com/pseudods/pseudods/privacypass/verify"
	"github.com/pseudods/pseudods/privacypass/verify/private"
)

// Issue a batch of tokens and redeem one. Issuer and origin are one operator, so
// the tokens are of the type that only the issuance key verifies.
func Example() {
	check := func(err error) {
		if err != nil {
			log.Fatal(err)
		}
	}

	// The issuer makes a key and publishes its public half.
	key, err := issuer.GenerateKey(privacypass.VOPRFRistretto255, rand.Reader)
	check(err)
	iss, err := issuer.New(issuer.Config{Rand: rand.Reader}, key)
	check(err)

	// The origin says what tokens it takes.
	challenge := &privacypass.TokenChallenge{
		TokenType:  privacypass.VOPRFRistretto255,
		IssuerName: "issuer.example",
		OriginInfo: []string{"origin.example"},
	}

	// The client asks for ten. It would keep pending.Export() before it sends.
	public, err := client.ParsePublicKey(key.TokenType(), key.PublicKey())
	check(err)
	pending, err := client.Amortized(rand.Reader, client.Want{Key: public, Challenge: challenge}, 10)
	check(err)

	// The issuer looks at the request, decides, and answers.
	request, err := iss.Parse(pending.Kind(), pending.Request())
	check(err)
	fmt.Println("asked for", request.Count(), "tokens")
	answer, err := request.Issue()
	check(err)

	// The client checks the answer. One token goes to the origin as a header.
	tokens, err := pending.Finalize(answer.Body)
	check(err)
	encoded, err := tokens[0].Marshal()
	check(err)
	header := privacypass.Credential{Token: encoded}.Format()

	// The origin verifies the token. It then records the nonce as spent.
	verifying, err := private.NewKey(key.Marshal())
	check(err)
	keys, err := verify.NewKeySet("issuer.example", verifying)
	check(err)
	expected, err := verify.Expect(challenge)
	check(err)
	credential, err := privacypass.ParseCredential(header)
	check(err)
	token, err := privacypass.ParseToken(credential.Token)
	check(err)
	redeemed, err := keys.Verify(token, expected)
	check(err)
	fmt.Println("redeemed a token of type", redeemed.TokenType(), "under the issuer's key:", redeemed.KeyID() == key.ID())

	// Output:
	// asked for 10 tokens
	// redeemed a token of type 0x0005 under the issuer's key: true
}
