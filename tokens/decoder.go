package tokens

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
)

// decoder reads JSON more strictly than encoding/json decodes into structs:
// member names are compared exactly, and none may be missing or repeated. Errors
// stick, so that a reader checks once, in finish.
type decoder struct {
	json *json.Decoder
	err  error
}

func newDecoder(b []byte) *decoder {
	d := &decoder{json: json.NewDecoder(bytes.NewReader(b))}
	d.json.UseNumber()
	return d
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
}

func (d *decoder) token() json.Token {
	if d.err != nil {
		return nil
	}
	t, err := d.json.Token()
	if err != nil {
		d.fail(err)
	}
	return t
}

func (d *decoder) delim(want json.Delim) {
	if t := d.token(); d.err == nil && t != want {
		d.fail(fmt.Errorf("want %q", want))
	}
}

func (d *decoder) string() string {
	s, ok := d.token().(string)
	if !ok {
		d.fail(errors.New("want a string"))
	}
	return s
}

func (d *decoder) integer(limit int) int {
	n, ok := d.token().(json.Number)
	if !ok {
		d.fail(errors.New("want a number"))
		return 0
	}
	v, err := strconv.Atoi(n.String())
	if err != nil || v < 0 || v > limit {
		d.fail(errors.New("number out of range"))
		return 0
	}
	return v
}

// object reads an object with exactly the members named, in any order, or with
// any members if members is nil. It calls value once per member, to read it.
func (d *decoder) object(members []string, value func(member string)) {
	d.delim('{')
	seen := make(map[string]bool)
	for d.err == nil && d.json.More() {
		member := d.string()
		if d.err != nil {
			return
		}
		if seen[member] {
			d.fail(errors.New("repeated member"))
			return
		}
		if members != nil && !slices.Contains(members, member) {
			d.fail(errors.New("unknown member"))
			return
		}
		seen[member] = true
		value(member)
	}
	d.delim('}')
	for _, member := range members {
		if !seen[member] {
			d.fail(fmt.Errorf("no member %q", member))
		}
	}
}

// finish returns the first error, or one for octets after the value other than
// white space.
func (d *decoder) finish() error {
	if d.err != nil {
		return d.err
	}
	if _, err := d.json.Token(); !errors.Is(err, io.EOF) {
		return errors.New("trailing data")
	}
	return nil
}
