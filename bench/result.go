package bench

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// Result is one measured figure.
type Result struct {
	Name string `json:"name"`
	// Store is the engine, or another design on PostgreSQL; empty is the embedded
	// one where others are not measured beside it.
	Store string `json:"store,omitempty"`
	// Queues is how many are in the store, where that matters.
	Queues int `json:"queues,omitempty"`
	// Members is the size of the group, PayloadBytes that of the application
	// message; zero where they do not matter.
	Members      int     `json:"members"`
	PayloadBytes int     `json:"payload_bytes"`
	Value        float64 `json:"value"`
	Unit         string  `json:"unit"`
	// Baseline is what the usual design does in the same run, in the same unit;
	// zero if there is no such design. Ratio is how many times better Value is:
	// higher for rates, lower for everything else.
	Baseline float64 `json:"baseline"`
	Ratio    float64 `json:"ratio"`
	Provenance
}

// Provenance says where a figure comes from.
type Provenance struct {
	Commit  string `json:"commit"`
	Go      string `json:"go"`
	CPU     string `json:"cpu"`
	Cores   int    `json:"cores"`
	Seed    uint64 `json:"seed"`
	Date    string `json:"date"`
	Command string `json:"command"`
}

// NewProvenance describes this process. The command is what a reader types to
// repeat it.
func NewProvenance(seed uint64, command string) Provenance {
	return Provenance{Commit: commit(), Go: runtime.Version(), CPU: cpu(), Cores: runtime.GOMAXPROCS(0), Seed: seed,
		Date: time.Now().UTC().Format(time.DateOnly), Command: command}
}

// commit is the one this program was built from. "go run" does not record it, so
// git is asked for that of the working directory.
func commit() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return s.Value
			}
		}
	}
	out, err := exec.Command("git", "rev-parse", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

func cpu() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if key, value, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// better fills in the ratio.
func (r *Result) better() {
	if r.Baseline == 0 || r.Value == 0 {
		return
	}
	r.Ratio = r.Baseline / r.Value
	if strings.HasSuffix(r.Unit, "/s") {
		r.Ratio = 1 / r.Ratio
	}
}

// String is the result in the style of "go test -bench".
func (r *Result) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Benchmark/%s", r.Name)
	if r.Store != "" {
		fmt.Fprintf(&b, "/store=%s", r.Store)
	}
	if r.Queues > 0 {
		fmt.Fprintf(&b, "/queues=%d", r.Queues)
	}
	if r.Members > 0 {
		fmt.Fprintf(&b, "/members=%d", r.Members)
	}
	if r.PayloadBytes > 0 {
		fmt.Fprintf(&b, "/payload=%dB", r.PayloadBytes)
	}
	fmt.Fprintf(&b, "-%d\t%.6g %s", r.Cores, r.Value, r.Unit)
	if r.Baseline > 0 {
		fmt.Fprintf(&b, "\t%.6g %s-baseline\t%.3g x", r.Baseline, r.Unit, r.Ratio)
	}
	return b.String()
}
