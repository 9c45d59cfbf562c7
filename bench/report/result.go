package report

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// ErrResults: a file is not a list of results.
var ErrResults = errors.New("report: not a list of results")

// Result is one measured figure.
type Result struct {
	Name, Unit string
	Value      float64
	// Low and High are the interval; equal to Value without one.
	Low, High float64
	// Interval tells that there is one.
	Interval bool
	AtLeast  bool
	// Baseline and Ratio are 0 without a baseline.
	Baseline, Ratio float64
	Parameters      map[string]Parameter
	Provenance      Provenance
}

// Parameter is the value of a parameter: a text, and a number if it is one.
type Parameter struct {
	Text   string
	Number float64
	IsNum  bool
}

// Provenance says where a result comes from.
type Provenance struct{ Commit, Go, CPU, Cores, Date, Seed, Command string }

// File is the results of one file.
type File struct {
	Name    string // without folder and .json
	Results []Result
}

// maxFile bounds the octets of a file.
const maxFile = 64 << 20

// ReadFile reads a file of results. It fails with [ErrResults].
func ReadFile(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	results, err := Read(io.LimitReader(f, maxFile))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &File{strings.TrimSuffix(filepath.Base(path), ".json"), results}, nil
}

// Read reads a list of results. It fails with [ErrResults].
func Read(r io.Reader) ([]Result, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	var list []map[string]any
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&list); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrResults, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("%w: something follows it", ErrResults)
	}
	out := make([]Result, len(list))
	for i, o := range list {
		if err := out[i].read(o); err != nil {
			return nil, fmt.Errorf("%w: object %d: %w", ErrResults, i, err)
		}
	}
	return out, nil
}

func (r *Result) read(o map[string]any) error {
	*r = Result{Parameters: map[string]Parameter{}}
	texts := map[string]*string{"name": &r.Name, "unit": &r.Unit, "commit": &r.Provenance.Commit, "go": &r.Provenance.Go, "cpu": &r.Provenance.CPU,
		"cores": &r.Provenance.Cores, "date": &r.Provenance.Date, "seed": &r.Provenance.Seed, "command": &r.Provenance.Command}
	numbers := map[string]*float64{"value": &r.Value, "ci_low": &r.Low, "ci_high": &r.High, "baseline": &r.Baseline, "ratio": &r.Ratio}
	for k, v := range o {
		if s, ok := texts[k]; ok {
			*s = text(v)
		} else if x, ok := numbers[k]; ok {
			n, isNumber := v.(json.Number)
			if !isNumber {
				return fmt.Errorf("%s is no number", k)
			}
			var err error
			if *x, err = number(n); err != nil {
				return fmt.Errorf("%s: %w", k, err)
			}
		} else if k == "at_least" {
			r.AtLeast, _ = v.(bool)
		} else if k == "parameters" {
			inner, ok := v.(map[string]any)
			if !ok {
				return errors.New("parameters are no object")
			}
			for k, v := range inner {
				if err := r.parameter(k, v); err != nil {
					return err
				}
			}
		} else if err := r.parameter(k, v); err != nil {
			return err
		}
	}
	_, hasValue := o["value"]
	if r.Name == "" || r.Unit == "" || !hasValue {
		return errors.New("name, value or unit is missing")
	}
	_, low := o["ci_low"]
	_, high := o["ci_high"]
	if r.Interval = low && high; !r.Interval {
		r.Low, r.High = r.Value, r.Value
	}
	return nil
}

func (r *Result) parameter(k string, v any) error {
	switch v := v.(type) {
	case map[string]any, []any:
		return fmt.Errorf("%s is no parameter", k)
	case nil:
		return nil
	case json.Number:
		n, err := number(v)
		if err != nil {
			return fmt.Errorf("%s: %w", k, err)
		}
		if n == 0 && (k == "members" || k == "payload_bytes") {
			return nil
		}
		r.Parameters[k] = Parameter{v.String(), n, true}
	default:
		r.Parameters[k] = Parameter{Text: text(v)}
	}
	return nil
}

// number bounds numbers so far that sums and scales of them stay finite.
func number(n json.Number) (float64, error) {
	const most = 1e30
	x, err := n.Float64()
	if err == nil && (x > most || x < -most) {
		err = errors.New("number out of bounds")
	}
	return x, err
}

func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	}
	return fmt.Sprint(v)
}

// key tells results of one figure from others: name, unit and parameters but for
// the number of trials.
func (r *Result) key() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\x00%s", r.Name, r.Unit)
	for _, k := range r.parameterNames() {
		if k != sampleSize {
			fmt.Fprintf(&b, "\x00%s=%s", k, r.Parameters[k].Text)
		}
	}
	return b.String()
}

func (r *Result) parameterNames() []string {
	out := make([]string, 0, len(r.Parameters))
	for k := range r.Parameters {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// String is the name and the parameters.
func (r *Result) String() string {
	var b strings.Builder
	b.WriteString(r.Name)
	for _, k := range r.parameterNames() {
		if k != sampleSize {
			fmt.Fprintf(&b, " %s=%s", k, r.Parameters[k].Text)
		}
	}
	return b.String()
}

// compareParameters orders numbers by size and before texts.
func compareParameters(a, b Parameter) int {
	switch {
	case a.IsNum && b.IsNum:
		return cmp.Compare(a.Number, b.Number)
	case a.IsNum:
		return -1
	case b.IsNum:
		return 1
	}
	return cmp.Compare(a.Text, b.Text)
}

// format writes a number for people: four digits, no exponent where it can be
// helped.
func format(x float64) string {
	switch a := max(x, -x); {
	case a < 1e-12: // what is left of sums that cancel out
		return "0"
	case a >= 1e7 || a < 1e-3:
		return strconv.FormatFloat(x, 'g', 4, 64)
	case a >= 1000:
		return strconv.FormatFloat(x, 'f', 0, 64)
	}
	s := strconv.FormatFloat(x, 'g', 4, 64)
	return s
}
