package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/privacypass/attester/oidc"
	"github.com/pseudods/pseudods/privacypass/attester/webhook"
	"github.com/pseudods/pseudods/privacypass/client/httpapi"
)

// attestor returns the attestation of a kind, with the credential in the named
// file. A proof of work needs no file.
func attestor(kind, file string) (httpapi.Attestor, error) {
	if kind == "proof-of-work" {
		return httpapi.ProofOfWork(rand.Reader), nil
	}
	if file == "" {
		return nil, fmt.Errorf("attester %s needs a credential file", kind)
	}
	content, err := daemon.SecretFile(file)
	if err != nil {
		return nil, err
	}
	text := strings.TrimSpace(string(content.Reveal()))
	switch kind {
	case "invite":
		return httpapi.Header(attester.InviteAuthorization(text)), nil
	case "oidc":
		return httpapi.Header(oidc.Authorization(text)), nil
	case "webhook":
		return httpapi.Header(webhook.Authorization(text)), nil
	case "account-key":
		seed, err := base64.URLEncoding.Strict().DecodeString(text)
		if err != nil || len(seed) != ed25519.SeedSize {
			return nil, fmt.Errorf("%s holds no account key", file)
		}
		return httpapi.AccountKey(ed25519.NewKeyFromSeed(seed)), nil
	}
	return nil, fmt.Errorf("unknown attester %q", kind)
}
