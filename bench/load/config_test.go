//go:build linux

package main

import (
	"io"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	c, err := parse(strings.Fields("-conns 3 -size 5 -seconds 0.5 -warmup 0 -connect 2 -pid 7,8 -spin -threads 9 127.1.2.3:80"), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case c.connections != 3, c.size != 5, c.window != 500*time.Millisecond, c.warmup != 0, c.connect != 2*time.Second,
		len(c.processes) != 2, c.processes[1] != 8, !c.spin, c.server.String() != "127.1.2.3:80":
		t.Errorf("got %+v", c)
	case c.threads != 3:
		t.Errorf("%d threads for 3 connections", c.threads)
	}
}

func TestParseErrors(t *testing.T) {
	for _, test := range []struct{ arguments, want string }{
		{"", "one argument"},
		{"127.0.0.1:1 127.0.0.1:2", "one argument"},
		{"192.0.2.1:80", "not an address in 127.0.0.0/8"},
		{"10.0.0.1:80", "not an address in 127.0.0.0/8"},
		{"0.0.0.0:80", "not an address in 127.0.0.0/8"},
		{"[::1]:80", "not an address in 127.0.0.0/8"},
		{"[::ffff:127.0.0.1]:80", "not an address in 127.0.0.0/8"},
		{"localhost:80", "not 127.0.0.1:PORT"},
		{"127.0.0.1", "not 127.0.0.1:PORT"},
		{"127.0.0.1:0", "port 0"},
		{"-conns 0 127.0.0.1:80", "-conns"},
		{"-conns 10000000 127.0.0.1:80", "-conns"},
		{"-size 0 127.0.0.1:80", "-size"},
		{"-seconds 0 127.0.0.1:80", "-seconds"},
		{"-seconds NaN 127.0.0.1:80", "-seconds"},
		{"-seconds 1e300 127.0.0.1:80", "-seconds"},
		{"-warmup -1 127.0.0.1:80", "-warmup"},
		{"-connect 0 127.0.0.1:80", "-connect"},
		{"-threads 0 127.0.0.1:80", "-threads"},
		{"-pid x 127.0.0.1:80", "-pid"},
		{"-pid -5 127.0.0.1:80", "-pid"},
		{"-unknown 127.0.0.1:80", "not defined"},
	} {
		if _, err := parse(strings.Fields(test.arguments), io.Discard); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: got %v, want %q", test.arguments, err, test.want)
		}
	}
}
