package protocol

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// refusal is an encoding that nobody may take.
type refusal struct {
	name, of, reason string
	data             []byte
}

// damage makes refusals of the encodings of good values.
type damage struct {
	t    *testing.T
	l    language
	good map[string]example
	out  []refusal
}

func (d *damage) add(of, reason string, name string, data []byte) {
	d.out = append(d.out, refusal{name, of, reason, data})
}

func (d *damage) encoded(name string) (of string, data []byte) {
	e, ok := d.good[name]
	if !ok {
		d.t.Fatalf("no example is named %q", name)
	}
	return e.of, encoded(e.value)
}

// octet replaces the octet at a place of an example by another.
func (d *damage) octet(example, reason, name string, at int, value byte) {
	of, data := d.encoded(example)
	if data[at] == value {
		d.t.Fatalf("%s: octet %d is that already", name, at)
	}
	data[at] = value
	d.add(of, reason, name, data)
}

// replace replaces octets of an example, which must be there once.
func (d *damage) replace(example, reason, name string, old, new []byte) {
	of, data := d.encoded(example)
	if bytes.Count(data, old) != 1 {
		d.t.Fatalf("%s: %x is there %d times", name, old, bytes.Count(data, old))
	}
	d.add(of, reason, name, bytes.Replace(data, old, new, 1))
}

// field encodes an example with another value in one field, of which the
// definitions take any.
func (d *damage) field(example, name, path string, value any) {
	of, data := d.encoded(example)
	v, _, err := d.l.decode(of, data)
	if err != nil {
		d.t.Fatal(err)
	}
	set(d.t, v.(object), strings.Split(path, "."), value)
	b, err := d.l.encode(of, v)
	if err != nil {
		d.t.Fatal(err)
	}
	d.add(of, "rule", name, b)
}

func set(t *testing.T, o object, path []string, value any) {
	for i := range o {
		if o[i].name != path[0] {
			continue
		}
		if len(path) > 1 {
			set(t, o[i].value.(object), path[1:], value)
		} else {
			o[i].value = value
		}
		return
	}
	t.Fatalf("no field %s", path[0])
}

const longest = 253

func refusals(t *testing.T, l language) []refusal {
	d := &damage{t: t, l: l, good: map[string]example{}}
	for _, e := range examples(t) {
		d.good[e.name] = e
	}
	for _, name := range []string{"request", "response", "token_required", "queue address", "fanout of a commit", "item with a ticket", "contact"} {
		of, data := d.encoded(name)
		d.add(of, "truncated", name+" that ends early", data[:len(data)-1])
		d.add(of, "trailing", name+" that goes on", append(bytes.Clone(data), 0))
	}
	d.lengths()
	d.values()
	d.rules()
	return d.out
}

func (d *damage) lengths() {
	domain := append([]byte{byte(len(home))}, home...)
	d.replace("request", "length_not_minimal", "request with a length of 2 octets for 11", domain, append([]byte{0x40, 11}, home...))
	d.replace("request", "length_not_minimal", "request with a length of 4 octets for 11", domain, append([]byte{0x80, 0, 0, 11}, home...))
	d.replace("request", "length_of_8_octets", "request with a length of 8 octets", domain, append(binary.BigEndian.AppendUint64(nil, 0xC000_0000_0000_000B), home...))
	d.replace("request", "length_beyond_input", "request with a length beyond its end", domain, append([]byte{0xBF, 0xFF, 0xFF, 0xFF}, home...))
	d.add("Response", "length_not_minimal", "response with a length of 2 octets for none", []byte{0, 1, 0, 0x40, 0})
	d.add("Response", "length_beyond_input", "response with a length beyond its end", []byte{0, 1, 0, 2, 1})
	d.add("Payloads", "length_beyond_input", "element that is longer than its list", []byte{3, 5, 1, 2, 3, 4, 5})
	d.add("FetchPayloads", "truncated", "list that ends inside an element", append([]byte{33}, make([]byte, 33)...))
	d.add("VerificationKeys", "truncated", "list that ends inside a key", append([]byte{31}, make([]byte, 31)...))
}

func (d *damage) values() {
	d.octet("request", "version", "request of version 2", 1, 2)
	d.octet("response", "version", "response of version 2", 1, 2)
	d.octet("contact card", "version", "card of version 0", 1, 0)
	d.octet("response", "undefined_value", "response that is neither", 2, 2)
	d.octet("not_allowed", "undefined_value", "error code 0", 4, 0)
	d.octet("not_allowed", "undefined_value", "error code 99", 4, 99)
	d.octet("request that nobody signs", "undefined_value", "authentication of type 6", len(encoded(d.good["request that nobody signs"].value))-1, 6)
	d.octet("request that nobody signs", "presence", "group state key that is neither there nor not", 2+1+len(home)+2+1, 2)
	d.octet("queue address", "undefined_value", "address of kind 0", 1+len(home), 0)
	d.octet("queue address", "undefined_value", "address of kind 4", 1+len(home), 4)
	d.octet("X25519 key", "undefined_value", "key of another KEM", 1, 0x10)
	d.replace("X-Wing key", "trailing", "key that is longer than its KEM's", []byte{0x64, 0x7A}, []byte{0, 0x20})
	d.octet("item", "undefined_value", "item of kind 3", 0, 3)
	d.octet("item", "presence", "item with a stream that is neither", 17, 2)
	d.octet("fanout of a message", "undefined_value", "fanout of kind 0", 0, 0)
	d.octet("fanout of a message", "undefined_value", "fanout of kind 6", 0, 6)
	d.octet("full report", "undefined_value", "outcome 0", 1, 0)
	d.octet("full report", "undefined_value", "outcome 5", 4, 5)
	d.octet("policy", "undefined_value", "policy of profile 3", 0, 3)
	d.octet("policy", "undefined_value", "policy that is neither", 5, 7)
	d.octet("no outcome", "presence", "outcome that is neither there nor not", 8, 0xFF)
	d.add("PublishKeyPackages", "undefined_value", "pool of kind 0", make([]byte, 32+1+8+4+1+1))
	d.add("AllowContact", "undefined_value", "neither allowed nor not", append(make([]byte, 48), 2))
	d.add("QueueSettings", "undefined_value", "overflow that is neither", append(make([]byte, 8+4+8+2), 2, 0))
}

// rules are broken here that the definitions do not tell.
func (d *damage) rules() {
	zeros := func(n int) string { return strings.Repeat("00", n) }
	d.field("request", "request to no domain", "content.recipient_domain", "")
	d.field("request", "request to a domain of 254 octets", "content.recipient_domain", zeros(longest+1))
	d.field("queue address", "address at no domain", "domain", "")
	d.field("queue address", "address without a KEM output", "sealed.kem_output", "")
	d.field("KeyPackage address", "bound address in a KeyPackage", "address.sealed.kind", "bound")
	d.field("item with a ticket", "stream that is the address", "stream", hexed(d.good["item with a ticket"].value.(*wire.Item).Address[:]))
	d.field("full GroupInfo", "commit without a GroupInfo", "group_info", "")
	d.field("full GroupInfo", "commit with two GroupInfos", "partial_group_info", "00")
	d.field("fanout of a commit", "roster part of no octets", "roster.part", "")
	d.field("pseudonymous credential", "user key of 31 octets", "user_auth_key", zeros(31))
	d.field("pseudonymous credential", "identity link of 127 octets", "identity_link", zeros(127))
	d.field("pseudonymous credential", "identity link over the bound", "identity_link", zeros(16<<10+1))
	d.field("pseudonymous credential", "no provider", "provider", "")
	d.field("account credential", "account of no octets", "account", "")
	d.field("account credential", "account of 129 octets", "account", strings.Repeat("61", 129))
	d.field("account credential", "account that is not UTF-8", "account", "ff")
	d.field("account credential", "provider with an @", "provider", "6140")
	d.field("policy", "admin without a name", "admins", []any{""})
	d.field("policy", "admin of too long a name", "admins", []any{zeros(128 + 1 + longest + 1)})
	d.field("token_required", "challenge that is not a header's value", "error.challenges", []any{"0a"})
	d.add("VerificationKeys", "rule", "no verification key", []byte{0})
	d.add("QueueSettings", "rule", "push target over the bound", append(append(make([]byte, 8+4+8+2+1), 0x44, 0x01), make([]byte, 1025)...))
}

func TestRefused(t *testing.T) {
	l := readLanguage(t)
	var vectors []object
	for _, r := range refusals(t, l) {
		vectors = append(vectors, object{{"name", r.name}, {"type", r.of}, {"reason", r.reason}, {"encoded", hexed(r.data)}})
	}
	seen := map[string]bool{}
	for _, v := range sameFile(t, "pseudods/wire/testdata/refused.json", vectors) {
		name, of, reason, data := v.text("name"), v.text("type"), v.text("reason"), v.octets(t, "encoded")
		if seen[name] {
			t.Errorf("two are named %q", name)
		}
		seen[name] = true
		want := wire.ErrMalformed
		if reason == "version" {
			want = wire.ErrVersion
		}
		if err := mls.Unmarshal(data, structures[of]()); !errors.Is(err, want) {
			t.Errorf("%s: the code says %v", name, err)
		}
		if _, _, err := l.decode(of, data); (err == nil) != (reason == "rule") {
			t.Errorf("%s, %s: the document says %v", name, reason, err)
		}
	}
}
