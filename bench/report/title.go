package report

import "strings"

// titles are those of chapters and figures that are known.
var titles = map[string]string{
	"perf":                    "Throughput, latency and cost",
	"link":                    "Linkability",
	"link-snapshot":           "Linkability in a copy of all stores",
	"perf-quick":              "Throughput, latency and cost, in brief",
	"snapshot_advantage":      "Copies of all stores: advantage over guessing",
	"snapshot_first_guess":    "Copies of all stores: advantage of the first guess",
	"snapshot_control":        "Copies of all stores: advantage where a leak was planted",
	"abuse":                   "Abuse under a matrix of defences",
	"fanout_deliveries":       "Durable deliveries, from sender to all queues",
	"send_latency_p50":        "Latency of sending, median",
	"send_latency_p99":        "Latency of sending, 99th percentile",
	"commit_time":             "Time of a commit",
	"commit_store_bytes":      "Octets that a commit writes",
	"send_state_bytes":        "Octets of group state that sending touches",
	"paper_messages_to_first": "Published attack: messages until the first associate is alone on top",
	"paper_messages_to_all":   "Published attack: messages until all associates are on top",
	"paper_mean_rank":         "Published attack: mean rank of the associate",
	"paper_share_on_top":      "Published attack: share of trials with all associates on top",
	"timing_messages_to_top":  "Messages of a group until all of its members rank on top",
	"timing_latency_mean":     "Latency that a mixing window adds, mean",
	"timing_latency_p99":      "Latency that a mixing window adds, 99th percentile",
	"size_advantage":          "Matching of lengths: advantage over guessing",
	"size_cost":               "Cost of padding",
	"abuse_effects":           "Effects of the attack, for each account and hour",
	"abuse_by_addresses":      "Effects of the attack, by network addresses of the attacker",
	"abuse_by_accounts":       "Effects of the attack, by accounts of the attacker",
	"abuse_honest_loss":       "What honest users wanted in vain",
	"abuse_honest_loss_idle":  "What honest users wanted in vain, without the attack",
	"abuse_honest_delay":      "How long honest users waited",
	"abuse_honest_delay_idle": "How long honest users waited, without the attack",
	"abuse_links":             "Identifiers of clients that were linked to groups, queues and pools",
	"abuse_kept":              "Identifiers of clients in the defence's state",
	"abuse_tokens":            "Tokens that an effect cost the attacker",
	"abuse_octets":            "Octets that an effect cost the attacker",
	"abuse_work":              "Proofs of work that an effect cost the attacker",
	"abuse_money":             "Money that effects cost the attacker",
	"abuse_served":            "Octets that an effect cost the services",
	"abuse_attacker_cpu":      "Processor time that an effect cost the attacker",
	"abuse_server_cpu":        "Processor time that an effect cost the services",
	"size_classes":            "Lengths that are seen",
}

// title is a name for people.
func title(name string) string {
	if t, ok := titles[name]; ok {
		return t
	}
	t := strings.NewReplacer("_", " ", "-", " ").Replace(name)
	if t == "" {
		return t
	}
	return strings.ToUpper(t[:1]) + t[1:]
}

// headline is a result that the summary shows: the first of a name that has these
// parameters.
type headline struct {
	name  string
	where map[string]string
}

// headlines are the results worth a line. A name without one is shown by its
// first result.
var headlines = []headline{
	{"fanout_deliveries", map[string]string{"members": "100", "payload_bytes": "1024"}},
	{"send_latency_p50", map[string]string{"members": "100"}},
	{"commit_time", map[string]string{"members": "1000"}},
	{"commit_store_bytes", map[string]string{"members": "1000"}},
	{"send_state_bytes", map[string]string{"members": "1000"}},
	{"paper_messages_to_first", map[string]string{"messages_per_epoch": "800", "associates": "1", "popular": "0", "missing": "0"}},
	{"paper_messages_to_first", map[string]string{"messages_per_epoch": "800", "associates": "1", "popular": "0", "missing": "0.9"}},
	{"timing_messages_to_top", map[string]string{"users": "100000", "queues": "one", "members": "2", "receipts": "true", "window_s": "0", "attack": "likelihood"}},
	{"timing_messages_to_top", map[string]string{"users": "100000", "queues": "one", "members": "2", "receipts": "true", "window_s": "1", "attack": "likelihood"}},
	{"timing_messages_to_top", map[string]string{"users": "100000", "queues": "one", "members": "2", "receipts": "true", "window_s": "10", "attack": "likelihood"}},
	{"timing_latency_mean", map[string]string{"users": "100000", "window_s": "1"}},
	{"timing_latency_mean", map[string]string{"users": "100000", "window_s": "10"}},
	{"size_advantage", map[string]string{"scheme": "none", "candidates": "100", "messages": "1"}},
	{"size_advantage", map[string]string{"scheme": "padme-256", "candidates": "100", "messages": "1"}},
	{"size_advantage", map[string]string{"scheme": "padme-512", "candidates": "100", "messages": "1"}},
	{"snapshot_advantage", map[string]string{"target": "member to queue", "feature": "value", "state": "stopped"}},
	{"snapshot_advantage", map[string]string{"target": "member to queue", "feature": "version", "state": "stopped"}},
	{"size_cost", map[string]string{"scheme": "padme-256"}},
	{"size_cost", map[string]string{"scheme": "padme-512"}},
}

func (h *headline) fits(r *Result) bool {
	if r.Name != h.name {
		return false
	}
	for k, v := range h.where {
		if r.Parameters[k].Text != v {
			return false
		}
	}
	return true
}
