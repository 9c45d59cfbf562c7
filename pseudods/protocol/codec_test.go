package protocol

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// A value of the document's language in JSON: numbers as numbers, those of 8
// octets as decimal strings, names of enums as strings, octets in hex, vectors
// as lists, absent values as null, structs as objects with their fields in
// order.
type object []member

type member struct {
	name  string
	value any
}

func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	for i, m := range o {
		v, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%c%q:%s", "{,"[min(i, 1)], m.name, v)
	}
	if len(o) == 0 {
		b.WriteByte('{')
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func (o object) get(name string) (any, bool) {
	for _, m := range o {
		if m.name == name {
			return m.value, true
		}
	}
	return nil, false
}

// row is a line of an annotated encoding.
type row struct {
	depth int
	// head is a number, a name, a presence or a length, body what follows a
	// length or is of a fixed one.
	head, body []byte
	text       string
}

var errEncoding = errors.New("not an encoding of this type")

// decoder reads one value by its definition. Errors stick.
type decoder struct {
	data []byte
	rows []row
	err  error
}

// decode reads all of data as a value of the type.
func (l language) decode(name string, data []byte) (value any, rows []row, err error) {
	of, ok := l[name]
	if !ok {
		return nil, nil, fmt.Errorf("the document has no type %s", name)
	}
	d := &decoder{data: data}
	value = d.value(of, "", 0)
	if d.err == nil && len(d.data) > 0 {
		d.fail("octets follow")
	}
	return value, d.rows, d.err
}

func (d *decoder) fail(format string, a ...any) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: "+format, append([]any{errEncoding}, a...)...)
	}
	d.data = nil
}

func (d *decoder) octets(n int) []byte {
	if n > len(d.data) {
		d.fail("%d octets left of %d", len(d.data), n)
		return make([]byte, n)
	}
	b := d.data[:n]
	d.data = d.data[n:]
	return b
}

func uintOf(b []byte) (n uint64) {
	for _, o := range b {
		n = n<<8 | uint64(o)
	}
	return n
}

// header reads a length (RFC 9420, Section 2.1.2).
func (d *decoder) header() (octets []byte, n int) {
	if len(d.data) == 0 {
		d.fail("no length")
		return nil, 0
	}
	size := 1 << (d.data[0] >> 6)
	if size == 8 {
		d.fail("length of 8 octets")
		return nil, 0
	}
	octets = d.octets(size)
	n = int(uintOf(octets) &^ (uint64(octets[0]&0xC0) << (8 * (size - 1))))
	if !bytes.Equal(header(n), octets) {
		d.fail("length of %d octets for %d", size, n)
	}
	if n > len(d.data) {
		d.fail("length %d of %d", n, len(d.data))
	}
	return octets, n
}

func header(n int) []byte {
	switch {
	case n < 1<<6:
		return []byte{byte(n)}
	case n < 1<<14:
		return []byte{0x40 | byte(n>>8), byte(n)}
	}
	return []byte{0x80 | byte(n>>24), byte(n >> 16), byte(n >> 8), byte(n)}
}

func (d *decoder) row(depth int, head, body []byte, text string) {
	d.rows = append(d.rows, row{depth, head, body, text})
}

func (d *decoder) value(of *definition, label string, depth int) any {
	switch of.kind {
	case number:
		b := d.octets(of.size)
		n := uintOf(b)
		d.row(depth, b, nil, fmt.Sprintf("%s: %d", label, n))
		if of.size == 8 {
			return strconv.FormatUint(n, 10)
		}
		return n
	case enum:
		b := d.octets(of.size)
		name, ok := of.names[uintOf(b)]
		if !ok {
			d.fail("%s %x has no name", of.name, b)
		}
		d.row(depth, b, nil, label+": "+name)
		return name
	case opaque:
		return d.opaque(of, label, depth)
	case list:
		head, n := d.header()
		if d.err != nil {
			return nil
		}
		d.row(depth, head, nil, fmt.Sprintf("%s: %d octets", label, n))
		rest := d.data[n:]
		d.data = d.data[:n]
		out := []any{}
		for len(d.data) > 0 {
			out = append(out, d.value(of.elem, fmt.Sprintf("%s[%d]", label, len(out)), depth+1))
		}
		if d.err == nil {
			d.data = rest
		}
		return out
	case optional:
		b := d.octets(1)
		switch b[0] {
		case 0:
			d.row(depth, b, nil, label+": absent")
			return nil
		case 1:
			d.row(depth, b, nil, label+": present")
			return d.value(of.elem, label, depth+1)
		}
		d.fail("presence %x", b)
		return nil
	}
	if label != "" {
		d.row(depth, nil, nil, label+":")
		depth++
	}
	out := object{}
	d.fields(of.fields, &out, depth)
	return out
}

func (d *decoder) fields(fields []field, out *object, depth int) {
	for _, f := range fields {
		if d.err != nil {
			return
		}
		if f.by != nil {
			d.fields(f.chosen(*out), out, depth)
			continue
		}
		*out = append(*out, member{f.name, d.value(f.of, f.name, depth)})
	}
}

// chosen returns the fields that go with an earlier one's value.
func (f *field) chosen(o object) []field {
	var v any = o
	for _, name := range f.by {
		o, _ = v.(object)
		v, _ = o.get(name)
	}
	if of, ok := f.cases[fmt.Sprint(v)]; ok {
		return of
	}
	return f.cases["default"]
}

func (d *decoder) opaque(of *definition, label string, depth int) any {
	var head, b []byte
	switch {
	case of.fixed:
		b = d.octets(of.size)
		label = fmt.Sprintf("%s[%d]", label, of.size)
	case of.rest:
		b = d.octets(len(d.data))
		label = fmt.Sprintf("%s[%d]", label, len(b))
	default:
		var n int
		if head, n = d.header(); d.err != nil {
			return nil
		}
		b = d.octets(n)
		label = fmt.Sprintf("%s<%d>", label, n)
	}
	if printable(b) {
		label += fmt.Sprintf(": %q", b)
	}
	d.row(depth, head, b, label)
	return hex.EncodeToString(b)
}

func printable(b []byte) bool {
	for _, o := range b {
		if o < ' ' || o > '~' {
			return false
		}
	}
	return len(b) > 2 && len(b) < 64
}

// encode writes a value that JSON decoding or decode returned.
func (l language) encode(name string, value any) ([]byte, error) {
	var b bytes.Buffer
	if err := put(&b, l[name], value); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return b.Bytes(), nil
}

func put(b *bytes.Buffer, of *definition, value any) error {
	switch of.kind {
	case number, enum:
		n, err := numeric(of, value)
		for i := of.size; i > 0; i-- {
			b.WriteByte(byte(n >> (8 * (i - 1))))
		}
		return err
	case opaque:
		text, ok := value.(string)
		octets, err := hex.DecodeString(text)
		if !ok || err != nil || of.fixed && len(octets) != of.size {
			return fmt.Errorf("%.40v is not octets", value)
		}
		if !of.fixed && !of.rest {
			b.Write(header(len(octets)))
		}
		b.Write(octets)
		return nil
	case list:
		values, ok := value.([]any)
		if !ok {
			return fmt.Errorf("%.40v is not a list", value)
		}
		var body bytes.Buffer
		for _, v := range values {
			if err := put(&body, of.elem, v); err != nil {
				return err
			}
		}
		b.Write(header(body.Len()))
		b.Write(body.Bytes())
		return nil
	case optional:
		if value == nil {
			return b.WriteByte(0)
		}
		b.WriteByte(1)
		return put(b, of.elem, value)
	}
	o, ok := value.(object)
	if !ok {
		return fmt.Errorf("%.40v is not a struct", value)
	}
	n, err := putFields(b, of.fields, o)
	if err == nil && n != len(o) {
		err = fmt.Errorf("%d fields of %d are known", n, len(o))
	}
	return err
}

func putFields(b *bytes.Buffer, fields []field, o object) (n int, err error) {
	for _, f := range fields {
		if f.by != nil {
			more, err := putFields(b, f.chosen(o), o)
			if n += more; err != nil {
				return n, err
			}
			continue
		}
		v, ok := o.get(f.name)
		if !ok {
			return n, fmt.Errorf("no field %s", f.name)
		}
		if err := put(b, f.of, v); err != nil {
			return n, fmt.Errorf("%s: %w", f.name, err)
		}
		n++
	}
	return n, nil
}

func numeric(of *definition, value any) (uint64, error) {
	if of.kind == enum {
		n, ok := of.values[fmt.Sprint(value)]
		if !ok {
			return 0, fmt.Errorf("%s has no %v", of.name, value)
		}
		return n, nil
	}
	return strconv.ParseUint(fmt.Sprint(value), 10, 8*of.size)
}

// UnmarshalJSON reads an object in its order. Numbers stay as they are written.
func (o *object) UnmarshalJSON(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	v, err := readJSON(d)
	if err != nil {
		return err
	}
	var ok bool
	if *o, ok = v.(object); !ok {
		return errors.New("not an object")
	}
	return nil
}

func readJSON(d *json.Decoder) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		out := object{}
		for d.More() {
			name, err := d.Token()
			if err != nil {
				return nil, err
			}
			v, err := readJSON(d)
			if err != nil {
				return nil, err
			}
			out = append(out, member{name.(string), v})
		}
		_, err = d.Token()
		return out, err
	case json.Delim('['):
		out := []any{}
		for d.More() {
			v, err := readJSON(d)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		_, err = d.Token()
		return out, err
	}
	return token, nil
}

// annotate writes rows as lines of hex and meaning. Long octets are cut.
func annotate(rows []row) string {
	var b strings.Builder
	for _, r := range rows {
		left := strings.TrimSpace(hex.EncodeToString(r.head) + " " + short(r.body))
		indent := strings.Repeat("  ", r.depth)
		line := fmt.Sprintf("%-44s %s%s", indent+left, indent, strings.TrimPrefix(r.text, ": "))
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}

func short(b []byte) string {
	const most = 16
	if len(b) <= most {
		return hex.EncodeToString(b)
	}
	return hex.EncodeToString(b[:most-2]) + "..."
}
