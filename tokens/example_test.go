package tokens_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/storage/storagetest"
	"github.com/pseudods/pseudods/tokens"
)

// A service takes a token for an operation, once. The client repeats its request
// because the answer was lost, and then tries the token on another one.
func Example() {
	ctx := context.Background()
	mint := storagetest.NewMint("key of this week") // stands for an issuer
	ledger, err := storagetest.NewReferenceSite().Open()
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := ledger.OpenEpoch(ctx, mint.Epoch(1000)); err != nil {
		fmt.Println(err)
		return
	}
	till := mint.Till()

	serve := func(request string, offered ...*privacypass.Token) {
		payment, err := till.Verify("send", offered)
		if err != nil {
			fmt.Println("refused:", err)
			return
		}
		outcome, err := payment.Spend(ctx, ledger, sha256.Sum256([]byte(request)))
		switch {
		case errors.Is(err, tokens.ErrDoubleSpend):
			fmt.Println("refused:", err)
		case err != nil:
			fmt.Println("try again:", err)
		case outcome == tokens.Fresh:
			fmt.Println("act on", request)
		case outcome == tokens.Resume:
			fmt.Println("answer again", request)
		}
	}
	serve("one")
	serve("one", mint.Raw(7))
	serve("one", mint.Raw(7))
	serve("two", mint.Raw(7))
	// Output:
	// refused: tokens: token required
	// act on one
	// answer again one
	// refused: tokens: token already spent
}
