package httpapi

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/issuer"
	"github.com/pseudods/pseudods/privacypass/keyring"
)

// view is what the handler serves between two changes of its keys.
type view struct {
	until   time.Time // when the next change is due
	classes map[string]*classView
}

type classView struct {
	name      string
	issuer    *issuer.Issuer
	types     map[privacypass.KeyID]privacypass.TokenType
	directory []byte
	etag      string
	// maxBody is the length of the longest request that can be accepted.
	maxBody int64
}

// current returns the view of now, making it first if the last one is over.
func (h *Handler) current(now time.Time) *view {
	v := h.view.Load()
	if now.Before(v.until) {
		return v
	}
	if err := h.Refresh(); err != nil {
		// The keys of the old view are still keys; serving them is better than
		// serving nothing.
		h.config.Logger.Error("keys not refreshed", "error", err)
		return v
	}
	return h.view.Load()
}

// Refresh takes up the keys that the ring has now. Call it after the ring was
// advanced or reloaded.
func (h *Handler) Refresh() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.config.Clock()
	v := &view{classes: make(map[string]*classView), until: h.config.Keys.Next(now)}
	if early := h.config.Keys.Next(now.Add(skew)).Add(-skew); early.After(now) && early.Before(v.until) {
		v.until = early
	}
	if soon := now.Add(time.Second); v.until.Before(soon) {
		v.until = soon // the ring is overdue; don't ask it at every request
	}
	for _, class := range h.config.Classes {
		c, err := h.classView(class, now)
		if err != nil {
			return fmt.Errorf("class %s: %w", class.Name, err)
		}
		v.classes[class.Name] = c
	}
	h.view.Store(v)
	h.metrics.keys(h.config, now)
	return nil
}

func (h *Handler) classView(class Class, now time.Time) (*classView, error) {
	policy, _ := h.config.Allowances.Policy(class.Name)
	largest := policy.BatchSizes[len(policy.BatchSizes)-1]
	c := &classView{name: class.Name, types: make(map[privacypass.KeyID]privacypass.TokenType)}
	directory := privacypass.Directory{RequestURI: h.config.BaseURL + "/" + class.Name + requestPath}
	var usable []issuer.Key
	for _, t := range class.Types {
		params, err := t.Params()
		if err != nil {
			return nil, err
		}
		// Two octets of type and one of identifier a token, and a length header.
		c.maxBody = max(c.maxBody, int64(largest*params.RequestSize()+8))
		live := h.config.Keys.Live(keyring.Slot{Class: class.Name, Type: t}, now)
		if len(live) == 0 {
			return nil, fmt.Errorf("%w: no key of type %v", ErrConfig, t)
		}
		for _, k := range live {
			directory.Keys = append(directory.Keys, privacypass.DirectoryKey{
				TokenType: t, PublicKey: k.PublicKey(), NotBefore: uint64(k.NotBefore.Unix()),
			})
			if !k.NotBefore.After(now.Add(skew)) {
				usable = append(usable, k.Key)
				c.types[k.ID()] = t
			}
		}
	}
	var err error
	if c.issuer, err = issuer.New(issuer.Config{MaxBatch: largest, Rand: h.config.Rand}, usable...); err != nil {
		return nil, err
	}
	if c.directory, err = directory.Marshal(); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(c.directory)
	c.etag = `"` + hex.EncodeToString(sum[:16]) + `"`
	return c, nil
}

// class returns the view of the class that a path names; the empty name is the
// default class's.
func (h *Handler) class(name string, now time.Time) (*classView, bool) {
	if name == "" {
		name = h.config.Classes[0].Name
	}
	c, ok := h.current(now).classes[name]
	return c, ok
}

// cacheControl returns the Cache-Control value of directories.
func (h *Handler) cacheControl() string {
	age := min(h.config.MaxAge, h.config.Keys.Schedule().Lead/2)
	if age < time.Second {
		return "no-cache"
	}
	return fmt.Sprintf("public, max-age=%d", int(age.Seconds()))
}
