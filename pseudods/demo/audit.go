package demo

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"

	"github.com/pseudods/pseudods/client"
	"github.com/pseudods/pseudods/client/account"
	"github.com/pseudods/pseudods/pseudods/audit"
	"github.com/pseudods/pseudods/pseudods/server"
)

// traceText is what people said.
const traceText = "texts of messages"

// needles are all by which the people of the story could be recognised.
func (s *stage) needles() []audit.Needle {
	var out []audit.Needle
	for _, p := range s.people {
		for _, t := range p.Traces() {
			out = append(out, audit.Needle{Kind: audit.Kind(t.Kind), Octets: t.Octets})
		}
	}
	for _, text := range s.said {
		out = append(out, audit.Needle{Kind: traceText, Octets: []byte(text)})
	}
	return out
}

// expected says which kinds a role needs to know: to name what it keeps. Anything
// else in its store fails the demo.
var expected = map[server.Role][]string{
	server.DS: {client.TraceGroup},
	server.QS: {account.TraceQueue, account.TraceQueueKey, account.TracePool},
}

// audit looks at what the provider has kept.
func (s *stage) audit(needles []audit.Needle, metrics []byte) error {
	s.scene("What is left at the provider")
	scanner, err := audit.New(needles)
	if err != nil {
		return err
	}
	var stores []*audit.Report
	for _, role := range server.Roles {
		r := scanner.Report(string(role) + " store")
		if err := r.Stores(s.ctx, filepath.Join(s.data, string(role))); err != nil {
			return err
		}
		stores = append(stores, r)
	}
	reports := scanner.Report("reports")
	if err := reports.Stores(s.ctx, filepath.Join(s.data, string(server.Moderation))); err != nil {
		return err
	}
	logs, numbers := scanner.Report("logs"), scanner.Report("metrics")
	if err := logs.Lines(s.ctx, bytes.NewReader(s.log.bytes())); err != nil {
		return err
	}
	if err := numbers.Lines(s.ctx, bytes.NewReader(metrics)); err != nil {
		return err
	}
	s.say("the services are stopped. All that they have kept is searched for what only the people know, in every")
	s.say("form in which it may have been written down, record by record and file by file:")
	fmt.Fprintln(s.out)
	if err := audit.WriteTable(s.out, append(slices.Clone(stores), reports, logs, numbers)...); err != nil {
		return err
	}
	return s.verdict(needles, stores, reports, logs, numbers)
}

// verdict says what the table shows, and fails if it shows what it must not.
func (s *stage) verdict(needles []audit.Needle, stores []*audit.Report, others ...*audit.Report) error {
	fmt.Fprintln(s.out)
	kinds := map[audit.Kind]bool{}
	for _, n := range needles {
		kinds[n.Kind] = true
	}
	for kind := range kinds {
		for i, role := range server.Roles {
			if n, _ := stores[i].Found(kind); n > 0 && !slices.Contains(expected[role], string(kind)) {
				return fmt.Errorf("%w: the %s holds %s", errStory, stores[i].Name, kind)
			}
		}
		for _, r := range others {
			if n, _ := r.Found(kind); n > 0 {
				return fmt.Errorf("%w: the %s hold %s", errStory, r.Name, kind)
			}
		}
	}
	for _, r := range append(slices.Clone(stores), others...) {
		for _, t := range r.Together() {
			// A queue is named by the hash of its key: the two say the same.
			if len(t.Several) > 0 || !slices.Equal(t.Kinds, []audit.Kind{account.TraceQueue, account.TraceQueueKey}) {
				return fmt.Errorf("%w: a record of the %s holds %s together", errStory, r.Name, t.Kinds)
			}
		}
	}
	if shared := audit.Shared(append(slices.Clone(stores), others[0])...); len(shared) > 0 {
		return fmt.Errorf("%w: stores have identifiers in common", errStory)
	}
	s.say("The delivery service names groups, and the queue service queues and pools, which is how they find what")
	s.say("they keep. No two stores have an identifier in common, and no record has two things that belong together")
	s.say("but a queue and its own key: putting all of it side by side links no pseudonym, queue, group or person.")
	return nil
}

// render gathers metrics in the form in which they are exported.
func render(registry *prometheus.Registry) ([]byte, error) {
	families, err := registry.Gather()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&b, f); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}
