package attester

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// FuzzAttest feeds Authorization headers to every attester: no input is accepted
// that wasn't made for the request, and every refusal is typed.
func FuzzAttest(f *testing.F) {
	all := credentials(f)
	delete(all, "proof of work") // it accepts by luck
	secrets := make(map[string]string)
	r := request(1, 1, noon)
	for name, c := range all {
		authorization := c.authorize(r)
		f.Add(authorization)
		parts := strings.FieldsFunc(authorization, func(r rune) bool { return r == ' ' || r == '"' })
		secrets[name] = parts[len(parts)-1]
	}
	work, err := NewProofOfWork(WorkCost{MemoryKiB: 8, Passes: 1, Attempts: 1 << 20}, 1)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(`ProofOfWork time=1728043200, salt="AAAAAAAAAAAAAAAAAAAAAA==", nonce=1`)
	f.Fuzz(func(t *testing.T, authorization string) {
		r := *r
		r.Authorization = authorization
		for name, c := range all {
			id, err := c.attester.Attest(context.Background(), &r)
			if err == nil && !strings.Contains(authorization, secrets[name]) {
				t.Errorf("%s accepts %q as %+v", name, authorization, id)
			}
			if err != nil && !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrRefused) {
				t.Errorf("%s: untyped error %v", name, err)
			}
		}
		r.Tokens = 1 << 20
		if id, err := work.Attest(context.Background(), &r); !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrRefused) {
			t.Errorf("proof of work: %+v, %v", id, err)
		}
	})
}

func FuzzParams(f *testing.F) {
	f.Add(`S a=1, b="x y"`)
	f.Add(`S b="",a==`)
	f.Fuzz(func(t *testing.T, in string) {
		params, err := Params(in, "S", "a", "b")
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Errorf("untyped error %v", err)
			}
			return
		}
		again, err := Params(`S a="`+params["a"]+`", b="`+params["b"]+`"`, "S", "a", "b")
		if err != nil || len(params) != 2 || again["a"] != params["a"] || again["b"] != params["b"] {
			t.Errorf("%q read as %q and then as %q, %v", in, params, again, err)
		}
	})
}

func FuzzReadKeys(f *testing.F) {
	f.Add("# accounts\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")
	f.Fuzz(func(t *testing.T, in string) {
		keys, err := ReadKeys(strings.NewReader(in))
		if err == nil && len(keys) > strings.Count(in, "\n")+1 {
			t.Errorf("%d keys from %q", len(keys), in)
		}
	})
}
