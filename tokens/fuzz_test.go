package tokens_test

import (
	"testing"

	"github.com/pseudods/pseudods/tokens"
)

func FuzzPriceList(f *testing.F) {
	f.Add([]byte(validList))
	f.Add([]byte(`{"prices":{},"classes":{}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := tokens.ParsePriceList(b)
		if err != nil {
			return
		}
		published, err := l.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		again, err := tokens.ParsePriceList(published)
		if err != nil {
			t.Fatalf("the published form is refused: %v", err)
		}
		if twice, _ := again.Marshal(); string(twice) != string(published) {
			t.Fatalf("published %s, then %s", published, twice)
		}
	})
}
