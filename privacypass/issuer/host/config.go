package host

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/pseudods/pseudods/internal/daemon"
	"github.com/pseudods/pseudods/privacypass"
	"github.com/pseudods/pseudods/privacypass/attester"
	"github.com/pseudods/pseudods/privacypass/issuer/httpapi"
	"github.com/pseudods/pseudods/privacypass/keyring"
	"github.com/pseudods/pseudods/storage/postgres"
)

// Config says what an issuer is. Its JSON form is a part of a program's
// configuration file. Paths are relative to the working directory.
type Config struct {
	// Name is the issuer's name in challenges, a host name.
	Name string `json:"name"`
	// BaseURL is what the outside reaches the issuer by. If empty, directories
	// hold paths only.
	BaseURL string `json:"base_url"`
	// Fence is a small file by which a store of allowances that was put back from
	// an older copy is recognised, unless the fence was put back with it. Default:
	// allowances.fence in the data directory.
	Fence string `json:"fence"`
	// Database puts the allowances into a PostgreSQL database of their own. Default: the
	// embedded engine, in the data directory.
	Database postgres.Settings `json:"database"`
	// Period is the length of an allowance epoch.
	Period daemon.Duration `json:"period"`
	// Classes are the token classes; the first is the default one.
	Classes []Class `json:"classes"`
	// Schedule of the keys of all classes.
	Schedule Schedule `json:"schedule"`
	// Attesters of which one must vouch for a request.
	Attesters Attesters `json:"attesters"`
	// Verdicts says what follows from upheld reports of abuse.
	Verdicts Verdicts `json:"verdicts"`
	// DirectoryMaxAge bounds how long directories may be cached.
	DirectoryMaxAge daemon.Duration `json:"directory_max_age"`
	// Parallel is how many requests do private-key operations at once, and Queue
	// how many more wait. 0 means one for each processor and 32 for each of those.
	Parallel int `json:"parallel"`
	Queue    int `json:"queue"`
}

// Class is a token class of an issuer.
type Class struct {
	Name string `json:"name"`
	// Types in order of preference, such as "0x0005".
	Types []string `json:"types"`
	// Tokens, Initial, Growth and BatchSizes are the policy: see attester.Policy.
	Tokens     int   `json:"tokens"`
	Initial    int   `json:"initial"`
	Growth     int   `json:"growth"`
	BatchSizes []int `json:"batch_sizes"`
}

// Schedule is that of the keys: see keyring.Schedule.
type Schedule struct {
	Period  daemon.Duration `json:"period"`
	Overlap daemon.Duration `json:"overlap"`
	Lead    daemon.Duration `json:"lead"`
}

// Attesters has a member for each kind of attester; those that are null or left
// out are off.
type Attesters struct {
	Invite      *struct{}   `json:"invite"`
	AccountKey  *AccountKey `json:"account_key"`
	ProofOfWork *Work       `json:"proof_of_work"`
	OIDC        *OIDC       `json:"oidc"`
	Webhook     *Webhook    `json:"webhook"`
}

// AccountKey configures the attester of account keys.
type AccountKey struct {
	// Keys names the file of account keys, which is read again when it changes.
	Keys string `json:"keys"`
}

// Work configures the attester of proofs of work.
type Work struct {
	attester.WorkCost
	// Parallel is how many proofs are verified at once. Default 2.
	Parallel int `json:"parallel"`
}

// OIDC configures the attester of OpenID Connect tokens.
type OIDC struct {
	Issuer     string   `json:"issuer"`
	Audience   string   `json:"audience"`
	Algorithms []string `json:"algorithms"`
	// KeySet names a file, KeySetURL a URL. One of them is needed.
	KeySet    string `json:"key_set"`
	KeySetURL string `json:"key_set_url"`
}

// Webhook configures the attester that asks an account system.
type Webhook struct {
	URL string `json:"url"`
	// Secret names the file of the secret shared with the account system.
	Secret   string `json:"secret"`
	Parallel int    `json:"parallel"`
}

// Default is an issuer of one class for whoever can present an invite code or a
// proof of work.
func Default() Config {
	day := daemon.Duration(24 * time.Hour)
	return Config{
		Name: "localhost", Period: day,
		Classes: []Class{{
			Name: "default", Types: []string{"0x0005", "0x0002", "0x0001"}, Tokens: 320, BatchSizes: []int{1, 32},
		}},
		Schedule: Schedule{Period: 30 * day, Overlap: 7 * day, Lead: day},
		Attesters: Attesters{
			Invite:      &struct{}{},
			ProofOfWork: &Work{WorkCost: attester.WorkCost{MemoryKiB: 16 << 10, Passes: 1, Attempts: 2}, Parallel: 2},
		},
		DirectoryMaxAge: daemon.Duration(time.Hour),
	}
}

// Clear takes away the lists and attesters, so that those of a file replace the
// defaults whole. It is called before a file is decoded over c.
func (c *Config) Clear() { c.Classes, c.Attesters = nil, Attesters{} }

// Complete takes from defaults what Clear took away and the file left out.
func (c *Config) Complete(defaults Config) {
	if c.Classes == nil {
		c.Classes = defaults.Classes
	}
	if c.Attesters == (Attesters{}) {
		c.Attesters = defaults.Attesters
	}
}

// Validate says what is wrong with a configuration.
func (c *Config) Validate() error {
	if c.Name == "" || strings.ContainsAny(c.Name, " ,\"\\") {
		return errors.New("name must be a host name")
	}
	if u, err := url.Parse(c.BaseURL); c.BaseURL != "" && (err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || strings.HasSuffix(c.BaseURL, "/")) {
		return errors.New("base_url must be a URL without a slash at its end")
	}
	if c.Parallel < 0 || c.Queue < 0 || c.DirectoryMaxAge < 0 {
		return errors.New("a bound is negative")
	}
	if err := c.schedule().Validate(); err != nil {
		return err
	}
	if c.Period < daemon.Duration(time.Second) || c.Period%daemon.Duration(time.Second) != 0 {
		return errors.New("period must be a whole number of seconds")
	}
	if len(c.Classes) == 0 {
		return errors.New("classes is empty")
	}
	if err := c.Verdicts.validate(&c.Attesters); err != nil {
		return err
	}
	for _, class := range c.Classes {
		if err := class.validate(); err != nil {
			return fmt.Errorf("class %q: %w", class.Name, err)
		}
	}
	return nil
}

func (c *Class) validate() error {
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

func (c *Class) types() (types []privacypass.TokenType, err error) {
	if len(c.Types) == 0 {
		return nil, errors.New("types is empty")
	}
	for _, s := range c.Types {
		t, err := ParseType(s)
		if err != nil {
			return nil, err
		}
		types = append(types, t)
	}
	return types, nil
}

func (c *Class) policy() attester.Policy {
	return attester.Policy{Tokens: c.Tokens, Initial: c.Initial, Growth: c.Growth, BatchSizes: c.BatchSizes}
}

func (c *Config) schedule() keyring.Schedule {
	return keyring.Schedule{
		Period: time.Duration(c.Schedule.Period), Overlap: time.Duration(c.Schedule.Overlap), Lead: time.Duration(c.Schedule.Lead),
	}
}

// Slots returns the slots of a valid configuration's keys.
func (c *Config) Slots() ([]keyring.Slot, error) {
	_, slots, err := c.classes()
	return slots, err
}

// classes returns the classes of a valid configuration, and the slots of their
// keys.
func (c *Config) classes() (classes []httpapi.Class, slots []keyring.Slot, err error) {
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

// ParseType reads a token type such as 0x0005.
func ParseType(s string) (privacypass.TokenType, error) {
	n, err := strconv.ParseUint(s, 0, 16)
	if err != nil {
		return 0, fmt.Errorf("token type %q is not a number such as 0x0005", s)
	}
	t := privacypass.TokenType(n)
	_, err = t.Params()
	return t, err
}
