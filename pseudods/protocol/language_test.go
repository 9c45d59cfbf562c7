// Package protocol compares docs/protocol.md with the code. The document defines
// every structure in the TLS presentation language; the tests here read these
// definitions and encode and decode by them, beside packages wire, seal and
// identity. The document's worked examples and the vectors in the testdata
// folders of those packages are made from one list of values:
//
//	go test ./pseudods/protocol -update
//
// makes them anew. Without the flag, what is checked in must be what the code
// makes.
package protocol

import (
	"fmt"
	"math/bits"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const documentPath = "../../docs/protocol.md"

// kind is what a type is made of.
type kind int

const (
	number   kind = iota
	enum          // a number with names
	opaque        // octets, with a length in front or of a fixed number
	list          // elements with their length in octets in front
	optional      // an element that may be absent
	record        // fields
)

// definition is one type of the document.
type definition struct {
	kind   kind
	size   int // octets: of a number or enum, of fixed octets
	fixed  bool
	rest   bool // octets up to the end
	names  map[uint64]string
	values map[string]uint64
	elem   *definition
	fields []field
	name   string // "" if it stands only inside a field
}

// field is a field of a record, or a choice of fields by the value of an earlier
// one.
type field struct {
	name  string
	of    *definition
	by    []string // path to the field that chooses
	cases map[string][]field
}

// language is all types of the document by name.
type language map[string]*definition

var uints = map[string]int{"uint8": 1, "uint16": 2, "uint32": 4, "uint64": 8}

var tokenPattern = regexp.MustCompile(`/\*(?s:.*?)\*/|[A-Za-z_][A-Za-z0-9_]*|[0-9]+|\.\.|[{}()\[\]<>;:,.]`)

// reader reads definitions. It panics with a string at what it does not know:
// the document is ours.
type reader struct {
	tokens []string
	types  language
}

func readLanguage(t testing.TB) language {
	t.Helper()
	b, err := os.ReadFile(documentPath)
	if err != nil {
		t.Fatal(err)
	}
	p := &reader{types: language{}}
	for _, block := range regexp.MustCompile("(?s)\n```tls\n(.*?)\n```\n").FindAllSubmatch(b, -1) {
		text := string(block[1])
		if left := strings.TrimSpace(tokenPattern.ReplaceAllString(text, "")); left != "" {
			t.Fatalf("definitions hold %.20q", left)
		}
		for _, token := range tokenPattern.FindAllString(text, -1) {
			if !strings.HasPrefix(token, "/*") {
				p.tokens = append(p.tokens, token)
			}
		}
	}
	for len(p.tokens) > 0 {
		p.define()
	}
	for name, d := range p.types {
		if d.name == "" {
			t.Fatalf("%s is used and not defined", name)
		}
	}
	return p.types
}

func (p *reader) next() string {
	if len(p.tokens) == 0 {
		panic("definitions end early")
	}
	token := p.tokens[0]
	p.tokens = p.tokens[1:]
	return token
}

func (p *reader) accept(token string) bool {
	if len(p.tokens) > 0 && p.tokens[0] == token {
		p.next()
		return true
	}
	return false
}

func (p *reader) want(tokens ...string) {
	for _, token := range tokens {
		if got := p.next(); got != token {
			panic(fmt.Sprintf("got %q, want %q before %q", got, token, p.tokens[:min(8, len(p.tokens))]))
		}
	}
}

func (p *reader) number() int {
	n, err := strconv.Atoi(p.next())
	if err != nil {
		panic(err.Error())
	}
	return n
}

// named returns a type by name, which may be defined later.
func (p *reader) named(name string) *definition {
	if size, ok := uints[name]; ok {
		return &definition{kind: number, size: size}
	}
	if p.types[name] == nil {
		p.types[name] = new(definition)
	}
	return p.types[name]
}

// define reads one definition of a type.
func (p *reader) define() {
	var d definition
	var name string
	switch {
	case p.accept("enum"):
		d, name = p.enum(), p.next()
	case p.accept("struct"):
		p.want("{")
		d, name = definition{kind: record, fields: p.fields()}, p.next()
	default:
		f := p.field(p.next())
		d, name = *f.of, f.name
		p.tokens = append([]string{";"}, p.tokens...)
	}
	p.want(";")
	if p.named(name).name != "" {
		panic(name + " is defined twice")
	}
	d.name = name
	*p.types[name] = d
}

func (p *reader) enum() definition {
	d := definition{kind: enum, names: map[uint64]string{}, values: map[string]uint64{}}
	p.want("{")
	for {
		if p.accept("(") {
			d.size = (bits.Len(uint(p.number())) + 7) / 8
			p.want(")", "}")
			return d
		}
		name := p.next()
		p.want("(")
		n := uint64(p.number())
		p.want(")", ",")
		if _, twice := d.names[n]; twice {
			panic(name + " has another's number")
		}
		d.names[n], d.values[name] = name, n
	}
}

// fields reads fields up to and with the closing brace.
func (p *reader) fields() (out []field) {
	for !p.accept("}") {
		if p.accept("select") {
			out = append(out, p.choice())
			continue
		}
		out = append(out, p.field(p.next()))
	}
	return out
}

func (p *reader) choice() field {
	f := field{cases: map[string][]field{}}
	p.want("(")
	for f.by = []string{p.next()}; p.accept("."); {
		f.by = append(f.by, p.next())
	}
	p.want(")", "{")
	for !p.accept("}") {
		names := []string{"default"}
		if !p.accept("default") {
			p.want("case")
			for names[0] = p.next(); p.accept(","); {
				names = append(names, p.next())
			}
		}
		p.want(":")
		of := []field{}
		for len(p.tokens) > 0 && p.tokens[0] != "case" && p.tokens[0] != "default" && p.tokens[0] != "}" {
			if p.accept("struct") {
				p.want("{", "}", ";")
				continue
			}
			of = append(of, p.field(p.next()))
		}
		for _, name := range names {
			f.cases[name] = of
		}
	}
	p.want(";")
	return f
}

// field reads a field of a type: "T name", with an array's size or a vector's
// mark behind the name.
func (p *reader) field(of string) field {
	var d *definition
	switch of {
	case "optional":
		p.want("<")
		d = &definition{kind: optional, elem: p.named(p.next())}
		p.want(">")
	case "opaque":
		d = &definition{kind: opaque}
	default:
		d = p.named(of)
	}
	name := p.next()
	switch {
	case p.accept("<"):
		p.want("V", ">")
		if of != "opaque" {
			d = &definition{kind: list, elem: d}
		}
	case p.accept("["):
		if of != "opaque" {
			panic(name + ": only octets are of a fixed number")
		}
		if d.fixed = true; p.accept("..") {
			d.fixed, d.rest = false, true
		} else {
			d.size = p.number()
		}
		p.want("]")
	case of == "opaque":
		panic(name + ": how many octets?")
	}
	p.want(";")
	return field{name: name, of: d}
}
