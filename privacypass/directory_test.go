package privacypass_test

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/pseudods/pseudods/privacypass"
)

func TestDirectoryRoundTrip(t *testing.T) {
	d := privacypass.Directory{RequestURI: "/token-request?a=b&c", Keys: []privacypass.DirectoryKey{
		{TokenType: privacypass.VOPRFRistretto255, PublicKey: bytes.Repeat([]byte{0xfe}, 32), NotBefore: 1_700_000_000},
		{TokenType: privacypass.VOPRFP384, PublicKey: make([]byte, 49)},
		{TokenType: 0xDA7A, PublicKey: []byte{1}},
	}}
	b, err := d.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	back, err := privacypass.ParseDirectory(b)
	if err != nil || !reflect.DeepEqual(*back, d) {
		t.Errorf("%s: %+v, %v", b, back, err)
	}
	if again, err := back.Marshal(); err != nil || !bytes.Equal(again, b) {
		t.Errorf("encoding is not stable: %s, %v", again, err)
	}
	if bytes.Count(b, []byte("not-before")) != 1 {
		t.Errorf("%s", b)
	}
	if d.Keys[0].ID() != privacypass.KeyIDOf(d.Keys[0].PublicKey) {
		t.Error("ID is wrong")
	}
	for n := range b {
		if _, err := privacypass.ParseDirectory(b[:n]); !errors.Is(err, privacypass.ErrMalformed) {
			t.Errorf("prefix of %d octets: %v", n, err)
		}
	}
}

func TestDirectoryIsStrict(t *testing.T) {
	key := `{"token-type":5,"token-key":"` + strings.Repeat("A", 43) + `="}`
	for name, tc := range map[string]struct {
		json string
		want error
	}{
		"usual":               {`{"issuer-request-uri":"https://i.example/r","token-keys":[` + key + `]}`, nil},
		"white space":         {" {\n\"issuer-request-uri\" : \"/r\" , \"token-keys\" : [ ] } \n", nil},
		"unknown members":     {`{"x":{"y":[1]},"issuer-request-uri":"/r","token-keys":[{"z":1,` + key[1:] + `]}`, nil},
		"trailing object":     {`{"issuer-request-uri":"/r","token-keys":[]}{}`, privacypass.ErrMalformed},
		"trailing octet":      {`{"issuer-request-uri":"/r","token-keys":[]}0`, privacypass.ErrMalformed},
		"other case":          {`{"Issuer-Request-URI":"/r","token-keys":[]}`, privacypass.ErrMalformed},
		"member twice":        {`{"issuer-request-uri":"/r","issuer-request-uri":"/s","token-keys":[]}`, privacypass.ErrMalformed},
		"key member twice":    {`{"issuer-request-uri":"/r","token-keys":[{"token-type":1,` + key[1:] + `]}`, privacypass.ErrMalformed},
		"no URI":              {`{"token-keys":[]}`, privacypass.ErrMalformed},
		"empty URI":           {`{"issuer-request-uri":"","token-keys":[]}`, privacypass.ErrMalformed},
		"URI with user":       {`{"issuer-request-uri":"https://u:p@i.example/","token-keys":[]}`, privacypass.ErrMalformed},
		"URI is broken":       {`{"issuer-request-uri":"%zz","token-keys":[]}`, privacypass.ErrMalformed},
		"no keys":             {`{"issuer-request-uri":"/r"}`, privacypass.ErrMalformed},
		"keys null":           {`{"issuer-request-uri":"/r","token-keys":null}`, privacypass.ErrMalformed},
		"key null":            {`{"issuer-request-uri":"/r","token-keys":[null]}`, privacypass.ErrMalformed},
		"key of wrong size":   {`{"issuer-request-uri":"/r","token-keys":[{"token-type":5,"token-key":"AAAA"}]}`, privacypass.ErrMalformed},
		"key without padding": {`{"issuer-request-uri":"/r","token-keys":[{"token-type":5,"token-key":"` + strings.Repeat("A", 43) + `"}]}`, privacypass.ErrMalformed},
		"key with line break": {`{"issuer-request-uri":"/r","token-keys":[{"token-type":5,"token-key":"\n` + strings.Repeat("A", 43) + `="}]}`, privacypass.ErrMalformed},
		"empty key":           {`{"issuer-request-uri":"/r","token-keys":[{"token-type":999,"token-key":""}]}`, privacypass.ErrMalformed},
		"type as text":        {`{"issuer-request-uri":"/r","token-keys":[{"token-type":"5","token-key":"AAAA"}]}`, privacypass.ErrMalformed},
		"type out of range":   {`{"issuer-request-uri":"/r","token-keys":[{"token-type":65541,"token-key":"AAAA"}]}`, privacypass.ErrMalformed},
		"type with fraction":  {`{"issuer-request-uri":"/r","token-keys":[{"token-type":9.5,"token-key":"AAAA"}]}`, privacypass.ErrMalformed},
		"negative not-before": {`{"issuer-request-uri":"/r","token-keys":[{"not-before":-1,` + key[1:] + `]}`, privacypass.ErrMalformed},
		"not-before null":     {`{"issuer-request-uri":"/r","token-keys":[{"not-before":null,` + key[1:] + `]}`, privacypass.ErrMalformed},
		"array":               {`[]`, privacypass.ErrMalformed},
		"too many keys":       {`{"issuer-request-uri":"/r","token-keys":[` + strings.Repeat(key+",", privacypass.MaxDirectoryKeys) + key + `]}`, privacypass.ErrMalformed},
		"too large":           {`{"x":"` + strings.Repeat(" ", privacypass.MaxDirectorySize) + `"}`, privacypass.ErrMalformed},
	} {
		if _, err := privacypass.ParseDirectory([]byte(tc.json)); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
	for i, d := range []privacypass.Directory{
		{},
		{RequestURI: "/r", Keys: []privacypass.DirectoryKey{{TokenType: privacypass.VOPRFP384, PublicKey: make([]byte, 32)}}},
		{RequestURI: "/r", Keys: make([]privacypass.DirectoryKey, privacypass.MaxDirectoryKeys+1)},
	} {
		if _, err := d.Marshal(); !errors.Is(err, privacypass.ErrInvalid) {
			t.Errorf("%s: %v", fmt.Sprint("directory ", i), err)
		}
	}
}
