package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestUsage(t *testing.T) {
	for _, tc := range []struct {
		args []string
		code int
		says string
	}{
		{nil, 2, "usage: pdsbench"},
		{[]string{"nothing"}, 2, "perf"},
		{[]string{"perf", "-h"}, 0, "fanout,send,commit,idle"},
		{[]string{"perf", "extra"}, 2, ""},
		{[]string{"perf", "--only", "nothing"}, 1, `no scenario "nothing"`},
		{[]string{"link", "-h"}, 0, "paper,timing,size"},
		{[]string{"link", "extra"}, 2, ""},
		{[]string{"link", "--only", "nothing"}, 1, `no experiment "nothing"`},
	} {
		var stderr bytes.Buffer
		if code := run(tc.args, &bytes.Buffer{}, &stderr); code != tc.code || !strings.Contains(stderr.String(), tc.says) {
			t.Errorf("%q: exit %d, %q", tc.args, code, stderr.String())
		}
	}
}
