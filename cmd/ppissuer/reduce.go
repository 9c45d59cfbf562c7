package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/privacypass/issuer/host"
)

// reduce cuts an account's allowance at a running issuer.
func reduce(args []string, _, stderr io.Writer) error {
	f := newFlags("reduce", stderr).withConfig()
	scheme := f.String("scheme", "", "the attester's `scheme`: AccountKey, Bearer or Account")
	subject := f.String("subject", "", "the account's `name` at the attester")
	percent := f.Uint("percent", 100, "how much of the allowance to withhold")
	hold := f.Int("hold", 1, "for how many epochs, this one included, to withhold all of that")
	epochs := f.Int("epochs", 7, "after how many epochs, this one included, the whole allowance is back; it comes back step by step")
	if err := f.Read(args, 0); err != nil {
		return err
	}
	c, err := f.load()
	if err != nil {
		return err
	}
	data, err := daemon.OpenDir(c.Data)
	if err != nil {
		return err
	}
	where, err := data.Running()
	if err != nil {
		return err
	}
	key, err := data.ReadSecret(daemon.AdminFile)
	if err != nil {
		return err
	}
	if *percent > 100 {
		return host.ErrReduction
	}
	body, err := json.Marshal(host.Reduction{Scheme: *scheme, Subject: *subject, Percent: uint8(*percent), Hold: *hold, Epochs: *epochs})
	if err != nil {
		return err
	}
	req, err := http.NewRequest(http.MethodPost, where.Admin+host.ReductionsPath, bytes.NewReader(body))
	if err != nil {
		return err
	}
	daemon.Authorize(req, key)
	client := &http.Client{Timeout: 10 * time.Second}
	resp, err := client.Do(req)
	if err != nil {
		return errors.New("the issuer does not answer at its admin address")
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 256))
		return fmt.Errorf("the issuer answered %d: %s", resp.StatusCode, strings.TrimSpace(string(text)))
	}
	return nil
}
