package threatmodel

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// AssetID, AdversaryID, MitigationID and InvariantID name entries of the lists.
type (
	AssetID      string
	AdversaryID  string
	MitigationID string
	InvariantID  string
)

// Asset is something that an attack can harm.
type Asset struct {
	ID   AssetID
	Name string
	Harm string // what its loss means, and for whom
}

// Adversary is somebody to defend against.
type Adversary struct {
	ID   AdversaryID
	Name string
	// Can is what the adversary is able to do, Cannot what the model takes from
	// it. Both are clauses that follow "can" and "cannot".
	Can, Cannot string
}

// Invariant is a rule that holds between all parts of the service.
type Invariant struct {
	ID   InvariantID
	Rule string
	// Tests are those that would fail if the rule were broken.
	Tests []TestID
	// Limits is where the rule ends; "" if nowhere.
	Limits string
}

// Mitigation is something that the service, its clients or its operator do
// against attacks.
type Mitigation struct {
	ID    MitigationID
	Name  string
	What  string
	Price string // what honest users or the operator pay for it
}

// Source says where a scenario was first described.
type Source string

// The sources. Further scenarios come from reading this system.
const (
	Seed       Source = "MIMI interim, 2023-05-17"
	Robert     Source = "draft-robert-mimi-delivery-service-03"
	Protocol   Source = "draft-ietf-mimi-protocol-06"
	RoomPolicy Source = "draft-ietf-mimi-room-policy-03"
	Minimal    Source = "draft-kohbrok-mimi-metadata-minimalization-01"
	Mahy       Source = "draft-mahy-mimi-pseudonyms-00"
	ExtCommit  Source = "draft-mahy-mls-ext-commit-pp-01"
	Transport  Source = "draft-kohbrok-mimi-transport-01"
	MLS        Source = "RFC 9420"
	MLSArch    Source = "RFC 9750"
	PrivacyP   Source = "RFC 9576"
	Martiny    Source = "Martiny et al., NDSS 2021"
	System     Source = "this system"
)

// Status says how a scenario ends.
type Status int

// The statuses.
const (
	// Prevented: the attack fails as long as the assumptions hold.
	Prevented Status = iota + 1
	// Limited: the attack works up to a bound, or at a price.
	Limited
	// Detected: the attack works, and somebody who can react sees it.
	Detected
	// Open: nothing here stands against the attack.
	Open
)

func (s Status) String() string {
	return [...]string{"", "prevented", "limited", "detected", "open"}[s]
}

// TestID names a test by the folder of its package and its function.
type TestID struct{ Package, Name string }

func (t TestID) String() string { return "`" + t.Package + "." + t.Name + "`" }

// in lists tests of one package.
func in(pkg string, names ...string) []TestID {
	var out []TestID
	for _, n := range names {
		out = append(out, TestID{pkg, n})
	}
	return out
}

// Scenario is one way to abuse the service.
type Scenario struct {
	ID          string // "S" and two digits
	Title       string
	Sources     []Source
	Adversaries []AdversaryID
	Assets      []AssetID
	// Attack is what is done and what is gained, Defence what stands against it,
	// and Residual what remains.
	Attack, Defence, Residual string
	Mitigations               []MitigationID
	Invariants                []InvariantID
	Status                    Status
	// Tests show the defence at work. NoTest says what of it no test shows, and
	// why; it must be there if Tests is empty.
	Tests  []TestID
	NoTest string
	// Executable are the names of scenarios of package bench/abuse that play the
	// attack and measure what it comes to under each of several defences.
	Executable []string
}

// Validate reports what the scenario lacks.
func (s *Scenario) Validate() error {
	var errs []error
	lack := func(missing bool, what string) {
		if missing {
			errs = append(errs, fmt.Errorf("threatmodel: %s %s", s.ID, what))
		}
	}
	lack(s.Title == "" || s.Attack == "" || s.Defence == "" || s.Residual == "", "has an empty text")
	lack(len(s.Sources) == 0, "has no source")
	lack(len(s.Adversaries) == 0 || len(s.Assets) == 0, "has no adversary or no asset")
	lack(s.Status < Prevented || s.Status > Open, "has no status")
	lack(len(s.Mitigations) == 0 && s.Status != Open, "is not open and has no mitigation")
	lack(len(s.Tests) == 0 && s.NoTest == "", "has neither a test nor a reason why there is none")
	for _, id := range s.Adversaries {
		lack(!slices.ContainsFunc(Adversaries, func(a Adversary) bool { return a.ID == id }), "names an unknown adversary "+string(id))
	}
	for _, id := range s.Assets {
		lack(!slices.ContainsFunc(Assets, func(a Asset) bool { return a.ID == id }), "names an unknown asset "+string(id))
	}
	for _, id := range s.Mitigations {
		lack(!slices.ContainsFunc(Mitigations, func(m Mitigation) bool { return m.ID == id }), "names an unknown mitigation "+string(id))
	}
	for _, id := range s.Invariants {
		lack(!slices.ContainsFunc(Invariants, func(i Invariant) bool { return i.ID == id }), "names an unknown invariant "+string(id))
	}
	for _, text := range []string{s.Attack, s.Defence, s.Residual, s.NoTest} {
		lack(text != "" && !strings.HasSuffix(text, "."), "has a text without a full stop")
	}
	return errors.Join(errs...)
}

// Theme is a part of the list of scenarios.
type Theme struct {
	Title     string
	Scenarios []Scenario
}

// Themes are the parts, in the order of the document.
var Themes = []Theme{
	{"First contact and invitations", contactScenarios},
	{"Messages and what belongs to a group", groupScenarios},
	{"Handshakes and group state", commitScenarios},
	{"Rations and tokens", tokenScenarios},
	{"Reports of abuse", reportScenarios},
	{"Providers, services and resources", serviceScenarios},
	{"Inference from metadata", metadataScenarios},
}

// Scenarios are those of all themes.
func Scenarios() []Scenario {
	var out []Scenario
	for _, t := range Themes {
		out = append(out, t.Scenarios...)
	}
	return out
}
