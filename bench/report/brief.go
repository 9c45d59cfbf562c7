package report

import (
	"errors"
	"fmt"
	"strings"
)

// The lines of a document between which [FillBrief] writes.
const (
	briefStart = "<!-- results -->"
	briefEnd   = "<!-- /results -->"
)

// briefly are the results that a document quotes, in this order, and how.
var briefly = []struct {
	headline
	says string
}{
	{headline{"fanout_deliveries", map[string]string{"members": "100", "payload_bytes": "1024"}}, "durable deliveries, group of 100"},
	{headline{"send_latency_p50", map[string]string{"members": "100"}}, "latency of sending, group of 100, median"},
	{headline{"commit_time", map[string]string{"members": "1000"}}, "commit in a group of 1000, median"},
	{headline{"timing_messages_to_top", map[string]string{"users": "100000", "queues": "one", "members": "2", "receipts": "true", "window_s": "10", "attack": "likelihood"}},
		"messages until times link two queues, mixing window of 10 s"},
	{headline{"size_advantage", map[string]string{"scheme": "padme-256", "candidates": "100", "messages": "1"}}, "matching one message by its size, 100 candidates"},
	{headline{"snapshot_advantage", map[string]string{"target": "member to queue", "feature": "value", "state": "stopped"}}, "thief of all stores: member to queue, by values"},
	{headline{"snapshot_advantage", map[string]string{"target": "member to queue", "feature": "version", "state": "stopped"}}, "the same, by the engine's versions"},
}

// FillBrief writes the few results that a document quotes between its lines
// "<!-- results -->" and "<!-- /results -->". It fails with [ErrTable] if these are
// not there, once and in this order, or if none of the results is.
func FillBrief(document string, results []Result) (string, error) {
	before, rest, started := strings.Cut(document, briefStart+"\n")
	_, after, ended := strings.Cut(rest, briefEnd)
	if !started || !ended || strings.Contains(after, briefStart) {
		return "", fmt.Errorf("%w: no place for results", ErrTable)
	}
	var b strings.Builder
	b.WriteString("| what | value | interval of 95 % |\n| --- | ---: | --- |\n")
	found := false
	for _, line := range briefly {
		for i := range results {
			r := &results[i]
			if !line.fits(r) {
				continue
			}
			interval := ""
			if r.Interval && r.Low != r.High {
				interval = format(r.Low) + " to " + format(r.High)
			}
			fmt.Fprintf(&b, "| %s | %s %s | %s |\n", line.says, r.shown(), r.Unit, interval)
			found = true
			break
		}
	}
	if !found {
		return "", fmt.Errorf("%w: %w", ErrTable, errors.New("none of the results to quote"))
	}
	return before + briefStart + "\n" + b.String() + briefEnd + after, nil
}
