package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/privacypass/attester/oidc"
	"github.com/pseudods/pseudods/privacypass/attester/webhook"
	"github.com/pseudods/pseudods/privacypass/client"
)

// authorize returns the Authorization header for a request: the attestation of
// that kind, made from the credential in the named file. A proof of work needs no
// file.
func (r *remote) authorize(ctx context.Context, p *client.Pending, kind, file string) (string, error) {
	if kind == "proof-of-work" {
		for _, a := range r.description.Attesters {
			if a.Work != nil {
				return a.Work.Solve(ctx, rand.Reader, r.asked(p))
			}
		}
		return "", errors.New("the issuer takes no proof of work")
	}
	if file == "" {
		return "", fmt.Errorf("attester %s needs a credential file", kind)
	}
	content, err := daemon.SecretFile(file)
	if err != nil {
		return "", err
	}
	text := strings.TrimSpace(string(content.Reveal()))
	switch kind {
	case "invite":
		return attester.InviteAuthorization(text), nil
	case "oidc":
		return oidc.Authorization(text), nil
	case "webhook":
		return webhook.Authorization(text), nil
	case "account-key":
		seed, err := base64.URLEncoding.Strict().DecodeString(text)
		if err != nil || len(seed) != ed25519.SeedSize {
			return "", fmt.Errorf("%s holds no account key", file)
		}
		return attester.AccountKeyAuthorization(ed25519.NewKeyFromSeed(seed), r.asked(p)), nil
	}
	return "", fmt.Errorf("unknown attester %q", kind)
}
