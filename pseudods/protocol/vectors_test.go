package protocol

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/pseudods/pseudods/mls"
	"github.com/pseudods/pseudods/pseudods/httpapi"
	"github.com/pseudods/pseudods/pseudods/wire"
)

// vector is a value of one of the document's types with its fields, as the
// document reads them.
func (l language) vector(t *testing.T, of string, data []byte) object {
	t.Helper()
	fields, _, err := l.decode(of, data)
	if err != nil {
		t.Fatalf("%s: the document reads %x otherwise: %v", of, data[:min(40, len(data))], err)
	}
	return object{{"type", of}, {"fields", fields}, {"encoded", hexed(data)}}
}

// checkVector checks a vector as it was read back: by the document, and by the
// code. Both read and write the encoding, and refuse it if it is cut or goes on.
func (l language) checkVector(t *testing.T, v object) {
	t.Helper()
	of, data := v.text("type"), v.octets(t, "encoded")
	fields, ok := v.get("fields")
	if !ok {
		t.Fatalf("%s without fields", of)
	}
	if again, err := l.encode(of, fields); err != nil || !bytes.Equal(again, data) {
		t.Errorf("%s: the document encodes the fields as %x, %v", of, again, err)
	}
	read, _, err := l.decode(of, data)
	if err != nil || fmt.Sprint(read) != fmt.Sprint(fields) {
		t.Errorf("%s: the document decodes other fields: %v", of, err)
	}
	s := structures[of]()
	if err := mls.Unmarshal(data, s); err != nil {
		t.Fatalf("%s: %v", of, err)
	}
	if again, err := mls.Marshal(s); err != nil || !bytes.Equal(again, data) {
		t.Errorf("%s: the code encodes %x, %v", of, again, err)
	}
	l.compare(t, l[of], fields, reflect.ValueOf(s))
	if of == "KeyPackage" || of == "SealedKeyPackage" {
		return // is not of this protocol, or takes any octets
	}
	for n := range data {
		if n > 300 && n < len(data)-300 {
			continue // the middle of a long field
		}
		_, _, byDocument := l.decode(of, data[:n])
		if byCode := mls.Unmarshal(data[:n], structures[of]()); byDocument == nil || byCode == nil {
			t.Errorf("%s: prefix of %d octets: %v, %v", of, n, byDocument, byCode)
		}
	}
	longer := append(bytes.Clone(data), 0)
	_, _, byDocument := l.decode(of, longer)
	if byCode := mls.Unmarshal(longer, structures[of]()); byDocument == nil || byCode == nil {
		t.Errorf("%s: trailing octet: %v, %v", of, byDocument, byCode)
	}
}

func TestStructures(t *testing.T) {
	l := readLanguage(t)
	var vectors []object
	for _, e := range examples(t) {
		vectors = append(vectors, append(object{{"name", e.name}}, l.vector(t, e.of, encoded(e.value))...))
	}
	seen := map[string]bool{}
	for _, v := range sameFile(t, "pseudods/wire/testdata/structures.json", vectors) {
		if name := v.text("name"); seen[name] {
			t.Errorf("two vectors are named %q", name)
		} else {
			seen[name] = true
		}
		t.Run(v.text("name"), func(t *testing.T) { l.checkVector(t, v) })
	}
}

// exchanges are all operations with their answers.
func exchanges(t *testing.T) []*exchange {
	return append(tellGroups(t).exchanges, tellQueues(t).exchanges...)
}

func TestRequests(t *testing.T) {
	l := readLanguage(t)
	var vectors []object
	for _, x := range exchanges(t) {
		var by any
		if x.signer != nil {
			by = object{{"private_key", hexed(x.signer.Private().Reveal())}, {"public_key", hexed(x.signer.Public())}}
		}
		digest := wire.Digest(x.sent)
		vectors = append(vectors, object{{"name", x.name}, {"operation", operationNames[x.op]}, {"path", httpapi.PathOf(x.op)}, {"signer", by},
			{"request", l.vector(t, "Request", x.sent)}, {"to_be_signed", hexed(must(x.request.TBS()))}, {"digest", hexed(digest[:])},
			{"body", l.vector(t, x.bodyType, x.body)},
			{"answer", l.vector(t, x.answerType, x.answer)}, {"response", l.vector(t, "Response", x.reply)}})
	}
	done := map[string]bool{}
	for _, v := range sameFile(t, "pseudods/wire/testdata/requests.json", vectors) {
		done[v.text("operation")] = true
		t.Run(v.text("name"), func(t *testing.T) {
			for _, part := range []string{"request", "body", "answer", "response"} {
				p, _ := v.get(part)
				l.checkVector(t, p.(object))
			}
			checkRequest(t, v)
		})
	}
	for _, name := range operationNames {
		if !done[name] {
			t.Errorf("no vector has the operation %s", name)
		}
	}
}

// checkRequest checks how the parts of a request's vector belong together.
func checkRequest(t *testing.T, v object) {
	part := func(name string) object { p, _ := v.get(name); return p.(object) }
	sent := part("request").octets(t, "encoded")
	r := must(wire.ParseRequest(sent, len(sent)))
	tbs := must(r.TBS())
	if !bytes.Equal(tbs, v.octets(t, "to_be_signed")) || !bytes.Equal(r.Body, part("body").octets(t, "encoded")) {
		t.Error("request, body and what is signed do not belong together")
	}
	if digest := wire.Digest(sent); !bytes.Equal(digest[:], v.octets(t, "digest")) {
		t.Error("digest of another request")
	}
	var response wire.Response
	check(mls.Unmarshal(part("response").octets(t, "encoded"), &response))
	if response.Err != nil || !bytes.Equal(response.Body, part("answer").octets(t, "encoded")) {
		t.Error("answer is not that of the response")
	}
	by, _ := v.get("signer")
	if (by == nil) != (r.Auth.Type == wire.AuthNone) {
		t.Fatal("signed by nobody, or signature by nobody")
	}
	if by != nil {
		if err := suite().VerifyWithLabel(by.(object).octets(t, "public_key"), wire.SignatureLabel, tbs, r.Auth.Signature); err != nil {
			t.Error(err)
		}
	}
}

// TestTypesOfTheDocument: every structure of package wire is in the document and
// in a vector.
func TestTypesOfTheDocument(t *testing.T) {
	l := readLanguage(t)
	for _, name := range encodable(t) {
		if structures[name] == nil && name != "content" { // which is RequestTBS
			t.Errorf("%s is not among the structures", name)
		}
	}
	used := map[string]bool{"Error": true, "SealedLinkKey": true, "Recipient": true, "SealedAddress": true, "Ticket": true, "QueueSettings": true}
	for _, e := range examples(t) {
		used[e.of] = true
	}
	for _, x := range exchanges(t) {
		used[x.bodyType], used[x.answerType] = true, true
	}
	for name := range structures {
		if l[name] == nil {
			t.Errorf("the document does not define %s", name)
		}
		if !used[name] {
			t.Errorf("no vector has a %s", name)
		}
	}
}

// encodable returns the types of package wire that have an encoding.
func encodable(t *testing.T) (names []string) {
	t.Helper()
	files, err := filepath.Glob("../wire/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			m, ok := d.(*ast.FuncDecl)
			if !ok || m.Recv == nil || m.Name.Name != "MarshalTLS" {
				continue
			}
			of := m.Recv.List[0].Type
			if star, ok := of.(*ast.StarExpr); ok {
				of = star.X
			}
			names = append(names, of.(*ast.Ident).Name)
		}
	}
	if len(names) < 40 {
		t.Fatalf("only %d structures", len(names))
	}
	return names
}

// compare checks that the fields of the document have the values of the code's
// fields of the same name, so that no two are mixed up.
func (l language) compare(t *testing.T, of *definition, value any, code reflect.Value) {
	t.Helper()
	for code.Kind() == reflect.Pointer {
		code = code.Elem()
	}
	switch of.kind {
	case list:
		elems, _ := value.([]any)
		if code.Kind() != reflect.Slice || code.Len() != len(elems) {
			t.Errorf("%v of %d elements is a list of %d", code.Type(), code.Len(), len(elems))
			return
		}
		for i, e := range elems {
			l.compare(t, of.elem, e, code.Index(i))
		}
	case optional:
		if value != nil {
			l.compare(t, of.elem, value, code)
		}
	case record:
		o, _ := value.(object)
		l.compareFields(t, of.fields, o, code)
	default:
		if got, ok := plain(of, code); !ok || got != fmt.Sprint(value) {
			t.Errorf("the document reads %.60v where the code has %.60v", value, got)
		}
	}
}

func (l language) compareFields(t *testing.T, fields []field, o object, code reflect.Value) {
	t.Helper()
	for _, f := range fields {
		if f.by != nil {
			l.compareFields(t, f.chosen(o), o, code)
			continue
		}
		value, _ := o.get(f.name)
		if at, ok := codeField(code, f.name); !ok {
			t.Errorf("%v has no field for %s", code.Type(), f.name)
		} else if at.IsValid() {
			l.compare(t, f.of, value, at)
		}
	}
}

// elsewhere says where the code keeps fields of other names, "" for what follows
// from others, and "." for a struct whose fields stand in the outer one.
var elsewhere = map[string]string{
	"Request.content": ".", "Request.version": "", "Request.auth_type": "Auth.Type", "Request.leaf": "Auth.Leaf", "Request.key_id": "Auth.KeyID",
	"Request.signature": "Auth.Signature", "Response.version": "", "Response.refused": "", "Response.error": "Err", "ContactCard.version": "",
	"Item.stored": "", "JoinInfo.roster": ".", "JoinInfo.generation": "RosterGeneration", "JoinInfo.key": "RosterKey",
}

func codeField(code reflect.Value, name string) (reflect.Value, bool) {
	if code.Kind() != reflect.Struct {
		return reflect.Value{}, false
	}
	if path, ok := elsewhere[code.Type().Name()+"."+name]; ok {
		if path == "." {
			return code, true
		}
		if path == "" {
			return reflect.Value{}, true
		}
		for _, p := range strings.Split(path, ".") {
			code = code.FieldByName(p)
		}
		return code, true
	}
	at := code.FieldByNameFunc(func(n string) bool { return strings.EqualFold(n, strings.ReplaceAll(name, "_", "")) })
	return at, at.IsValid()
}

// plain returns a number or octets as the vectors have them.
func plain(of *definition, v reflect.Value) (string, bool) {
	if revealer, ok := v.Interface().(interface{ Reveal() []byte }); ok {
		return hexed(revealer.Reveal()), true
	}
	switch v.Kind() {
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if of.kind == enum {
			return of.names[v.Uint()], true
		}
		return fmt.Sprint(v.Uint()), true
	case reflect.Bool:
		return fmt.Sprint(v.Bool()), true
	case reflect.String:
		return hexed([]byte(v.String())), true
	case reflect.Array:
		b := make([]byte, v.Len())
		reflect.Copy(reflect.ValueOf(b), v)
		return hexed(b), true
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return hexed(v.Bytes()), true
		}
	case reflect.Struct:
		if v.CanAddr() { // a structure that the document carries as octets
			if m, ok := v.Addr().Interface().(mls.Marshaler); ok {
				return hexed(encoded(m)), true
			}
		}
	}
	return v.String(), false
}
