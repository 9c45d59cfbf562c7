package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/privacypass/issuer/httpapi"
	"github.com/pseudods/pseudods/privacypass/keyring"
)

// config is the configuration file: one JSON object, in which unknown members
// are errors. Members that are left out have the defaults of defaultConfig.
// Paths are relative to the working directory.
type config struct {
	// Name is the issuer's name in challenges, a host name.
	Name string `json:"name"`
	// Listen is the address of the issuer. Without TLS it must be on loopback.
	Listen string `json:"listen"`
	// AdminListen is the address of metrics, health and reductions. It must be on
	// loopback.
	AdminListen string `json:"admin_listen"`
	// BaseURL is what the outside reaches the issuer by. If empty, directories
	// hold paths only.
	BaseURL string `json:"base_url"`
	// TLS names the files of a certificate chain and its key. They are read again
	// when they change.
	TLS *tlsConfig `json:"tls"`
	// Data is the directory of keys, allowances and secrets that ppissuer makes
	// itself.
	Data string `json:"data"`
	// Fence is a small file by which a store of allowances that was put back from
	// an older copy is recognised, unless the fence was put back with it. Default:
	// allowances.fence in Data.
	Fence string `json:"fence"`
	// Period is the length of an allowance epoch.
	Period duration `json:"period"`
	// Classes are the token classes; the first is the default one.
	Classes []classConfig `json:"classes"`
	// Schedule of the keys of all classes.
	Schedule scheduleConfig `json:"schedule"`
	// Attesters of which one must vouch for a request.
	Attesters attestersConfig `json:"attesters"`
	// DirectoryMaxAge bounds how long directories may be cached.
	DirectoryMaxAge duration `json:"directory_max_age"`
	// Parallel is how many requests do private-key operations at once, and Queue
	// how many more wait. 0 means one for each processor and 32 for each of those.
	Parallel int `json:"parallel"`
	Queue    int `json:"queue"`
	// DrainDelay is how long the issuer goes on serving after SIGTERM while it
	// reports that it is not ready, for load balancers to notice.
	DrainDelay duration `json:"drain_delay"`
	// MinFree is the free disk space, in octets, below which nothing is issued.
	// 0 means 512 MiB.
	MinFree uint64 `json:"min_free"`
}

type tlsConfig struct {
	Certificate string `json:"certificate"`
	Key         string `json:"key"`
}

type classConfig struct {
	Name string `json:"name"`
	// Types in order of preference, such as "0x0005".
	Types []string `json:"types"`
	// Tokens, Initial, Growth and BatchSizes are the policy: see attester.Policy.
	Tokens     int   `json:"tokens"`
	Initial    int   `json:"initial"`
	Growth     int   `json:"growth"`
	BatchSizes []int `json:"batch_sizes"`
}

type scheduleConfig struct {
	Period  duration `json:"period"`
	Overlap duration `json:"overlap"`
	Lead    duration `json:"lead"`
}

// attestersConfig has a member for each kind of attester; those that are null or
// left out are off.
type attestersConfig struct {
	Invite      *struct{}         `json:"invite"`
	AccountKey  *accountKeyConfig `json:"account_key"`
	ProofOfWork *workConfig       `json:"proof_of_work"`
	OIDC        *oidcConfig       `json:"oidc"`
	Webhook     *webhookConfig    `json:"webhook"`
}

type accountKeyConfig struct {
	// Keys names the file of account keys, which is read again when it changes.
	Keys string `json:"keys"`
}

type workConfig struct {
	attester.WorkCost
	// Parallel is how many proofs are verified at once. Default 2.
	Parallel int `json:"parallel"`
}

type oidcConfig struct {
	Issuer     string   `json:"issuer"`
	Audience   string   `json:"audience"`
	Algorithms []string `json:"algorithms"`
	// KeySet names a file, KeySetURL a URL. One of them is needed.
	KeySet    string `json:"key_set"`
	KeySetURL string `json:"key_set_url"`
}

type webhookConfig struct {
	URL string `json:"url"`
	// Secret names the file of the secret shared with the account system.
	Secret   string `json:"secret"`
	Parallel int    `json:"parallel"`
}

// duration is written as Go does: "36h", "90s".
type duration time.Duration

func (d *duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = duration(v)
	return err
}

// defaultConfig is an issuer on loopback for whoever can present an invite code
// or a proof of work.
func defaultConfig() *config {
	day := duration(24 * time.Hour)
	return &config{
		Name: "localhost", Listen: "127.0.0.1:8040", AdminListen: "127.0.0.1:8041", Data: "ppissuer-data",
		Period: day,
		Classes: []classConfig{{
			Name: "default", Types: []string{"0x0005", "0x0002", "0x0001"}, Tokens: 320, BatchSizes: []int{1, 32},
		}},
		Schedule: scheduleConfig{Period: 30 * day, Overlap: 7 * day, Lead: day},
		Attesters: attestersConfig{
			Invite:      &struct{}{},
			ProofOfWork: &workConfig{WorkCost: attester.WorkCost{MemoryKiB: 16 << 10, Passes: 1, Attempts: 2}, Parallel: 2},
		},
		DirectoryMaxAge: duration(time.Hour),
	}
}

var errConfig = errors.New("invalid configuration")

// loadConfig reads and checks the file at path; no path means the defaults.
func loadConfig(path string) (*config, error) {
	c := defaultConfig()
	if path == "" {
		return c, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if c, err = parseConfig(b); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

func parseConfig(b []byte) (*config, error) {
	c := defaultConfig()
	// Lists and attesters that the file names replace the defaults whole.
	classes, attesters := c.Classes, c.Attesters
	c.Classes, c.Attesters = nil, attestersConfig{}
	decoder := json.NewDecoder(bytes.NewReader(b))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(c); err != nil {
		return nil, fmt.Errorf("%w: %w", errConfig, err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, fmt.Errorf("%w: something follows the object", errConfig)
	}
	if c.Classes == nil {
		c.Classes = classes
	}
	if c.Attesters == (attestersConfig{}) {
		c.Attesters = attesters
	}
	if err := c.validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", errConfig, err)
	}
	return c, nil
}

func (c *config) validate() error {
	if c.Name == "" || strings.ContainsAny(c.Name, " ,\"\\") {
		return errors.New("name must be a host name")
	}
	if c.Data == "" {
		return errors.New("data must name a directory")
	}
	if c.TLS != nil && (c.TLS.Certificate == "" || c.TLS.Key == "") {
		return errors.New("tls needs certificate and key")
	}
	if c.TLS == nil && !onLoopback(c.Listen) {
		return errors.New("listen must be on loopback unless tls is given")
	}
	if !onLoopback(c.AdminListen) {
		return errors.New("admin_listen must be on loopback")
	}
	if u, err := url.Parse(c.BaseURL); c.BaseURL != "" && (err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || strings.HasSuffix(c.BaseURL, "/")) {
		return errors.New("base_url must be a URL without a slash at its end")
	}
	if c.Parallel < 0 || c.Queue < 0 || c.DrainDelay < 0 || c.DirectoryMaxAge < 0 {
		return errors.New("a bound is negative")
	}
	if err := c.schedule().Validate(); err != nil {
		return err
	}
	if c.Period < duration(time.Second) || c.Period%duration(time.Second) != 0 {
		return errors.New("period must be a whole number of seconds")
	}
	if len(c.Classes) == 0 {
		return errors.New("classes is empty")
	}
	for _, class := range c.Classes {
		if err := class.validate(); err != nil {
			return fmt.Errorf("class %q: %w", class.Name, err)
		}
	}
	return nil
}

func (c *classConfig) validate() error {
	if err := keyring.CheckClass(c.Name); err != nil {
		return err
	}
	if _, err := c.types(); err != nil {
		return err
	}
	// A reply is one record of the store: 1024 blind signatures fit.
	if n := len(c.BatchSizes); n > 0 && c.BatchSizes[n-1] > 1024 {
		return errors.New("a batch size is larger than 1024")
	}
	return c.policy().Validate()
}

func (c *classConfig) types() (types []privacypass.TokenType, err error) {
	if len(c.Types) == 0 {
		return nil, errors.New("types is empty")
	}
	for _, s := range c.Types {
		t, err := parseType(s)
		if err != nil {
			return nil, err
		}
		types = append(types, t)
	}
	return types, nil
}

func (c *classConfig) policy() attester.Policy {
	return attester.Policy{Tokens: c.Tokens, Initial: c.Initial, Growth: c.Growth, BatchSizes: c.BatchSizes}
}

func (c *config) schedule() keyring.Schedule {
	return keyring.Schedule{
		Period: time.Duration(c.Schedule.Period), Overlap: time.Duration(c.Schedule.Overlap), Lead: time.Duration(c.Schedule.Lead),
	}
}

// classes returns the classes of a valid configuration, and the slots of their
// keys.
func (c *config) classes() (classes []httpapi.Class, slots []keyring.Slot, err error) {
	for _, class := range c.Classes {
		types, err := class.types()
		if err != nil {
			return nil, nil, err
		}
		classes = append(classes, httpapi.Class{Name: class.Name, Types: types})
		for _, t := range types {
			slots = append(slots, keyring.Slot{Class: class.Name, Type: t})
		}
	}
	return classes, slots, nil
}

func onLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}
