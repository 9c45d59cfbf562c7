package wire

import (
	"bytes"
	"testing"
)

var memberText = append(append([]byte{1}, make([]byte, 16)...), "\x05hello"...)

func TestMemberText(t *testing.T) {
	if text, ok := MemberText(memberText); !ok || string(text) != "hello" {
		t.Errorf("%q, %v", text, ok)
	}
	for n := range memberText {
		if text, ok := MemberText(memberText[:n]); ok {
			t.Errorf("prefix of %d octets: %q", n, text)
		}
	}
	hello := append([]byte{2}, memberText[1:]...)
	for _, b := range [][]byte{append(bytes.Clone(memberText), 0), hello, []byte("hello")} {
		if text, ok := MemberText(b); ok {
			t.Errorf("%q: %q", b, text)
		}
	}
}

func FuzzMemberText(f *testing.F) {
	f.Add(memberText)
	f.Fuzz(func(t *testing.T, b []byte) {
		if text, ok := MemberText(b); ok && !bytes.HasSuffix(b, text) {
			t.Errorf("%q of %q", text, b)
		}
	})
}
