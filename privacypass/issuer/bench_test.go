package issuer_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"testing"

	"github.com/cloudflare/circl/blindsign/blindrsa"
	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/oprf"

	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/client"
	"github.com/pseudods/pseudods/privacypass/issuer"
)

// BenchmarkIssueBlindRSA issues one token of type 0x0002: ours from the request's
// octets to the response's, circl's the bare private operation.
func BenchmarkIssueBlindRSA(b *testing.B) {
	k := generate(b, privacypass.BlindRSA)
	request := single(b, k).Request()
	b.Run("ours", func(b *testing.B) { benchmarkIssue(b, k, privacypass.Single, request, 1) })
	b.Run("circl", func(b *testing.B) {
		der := k.Marshal().Reveal()[2:]
		parsed, err := x509.ParsePKCS8PrivateKey(der)
		if err != nil {
			b.Fatal(err)
		}
		signer := blindrsa.NewSigner(parsed.(*rsa.PrivateKey))
		q, err := privacypass.ParseTokenRequest(request)
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if _, err := signer.BlindSign(q.BlindedMsg); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkIssueAmortized issues 100 tokens of type 0x0005 under one proof: ours
// from the request's octets to the response's, circl's with decoding and encoding
// of elements and proof, which an issuer cannot do without.
func BenchmarkIssueAmortized(b *testing.B) {
	const n = 100
	k := generate(b, privacypass.VOPRFRistretto255)
	p, err := client.Amortized(rand.Reader, want(b, k), n)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("ours", func(b *testing.B) { benchmarkIssue(b, k, privacypass.Amortized, p.Request(), n) })
	b.Run("circl", func(b *testing.B) {
		var key oprf.PrivateKey
		if err := key.UnmarshalBinary(oprf.SuiteRistretto255, k.Marshal().Reveal()[2:]); err != nil {
			b.Fatal(err)
		}
		server := oprf.NewVerifiableServer(oprf.SuiteRistretto255, &key)
		q, err := privacypass.ParseAmortizedRequest(p.Request(), n)
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			request := oprf.EvaluationRequest{Elements: make([]oprf.Blinded, n)}
			for i, msg := range q.BlindedMsgs {
				request.Elements[i] = group.Ristretto255.NewElement()
				if err := request.Elements[i].UnmarshalBinary(msg); err != nil {
					b.Fatal(err)
				}
			}
			e, err := server.Evaluate(&request)
			if err != nil {
				b.Fatal(err)
			}
			for _, x := range e.Elements {
				if _, err := x.MarshalBinaryCompress(); err != nil {
					b.Fatal(err)
				}
			}
			if _, err := e.Proof.MarshalBinary(); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/token")
	})
}

func benchmarkIssue(b *testing.B, k issuer.Key, kind privacypass.Kind, request []byte, n int) {
	iss := newIssuer(b, k)
	b.ReportAllocs()
	for b.Loop() {
		q, err := iss.Parse(kind, request)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := q.Issue(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/token")
}
