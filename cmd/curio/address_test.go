package main

import (
	"strings"
	"testing"
)

func TestParseAddress(t *testing.T) {
	for _, c := range []struct{ in, text, base, socket string }{
		{"unix:/run/chat.sock", "unix:/run/chat.sock", "http://localhost", "/run/chat.sock"},
		{"unix:chat.sock", "unix:chat.sock", "http://localhost", "chat.sock"},
		{"./chat.sock", "unix:./chat.sock", "http://localhost", "./chat.sock"},
		{"127.0.0.1:6060", "127.0.0.1:6060", "http://127.0.0.1:6060", ""},
		{"[::1]:6060", "[::1]:6060", "http://[::1]:6060", ""},
		{":6060", "localhost:6060", "http://localhost:6060", ""},
		{"https://example.com/debug/curio/", "https://example.com/debug/curio", "https://example.com/debug/curio", ""},
		{"http://localhost:80", "http://localhost:80", "http://localhost:80", ""},
	} {
		at, err := parseAddress(c.in)
		if err != nil || at.text != c.text || at.base != c.base || at.socket != c.socket {
			t.Errorf("%s: got %+v, %v", c.in, at, err)
		}
	}
	for _, c := range []struct{ in, problem string }{
		{"", "CURIO_MONITOR"},
		{"6060", "not an address"},
		{"localhost", "not an address"},
		{"localhost:http", "no port"},
		{"localhost:0", "no port"},
		{"localhost:65536", "no port"},
		{"unix:", "has to have a path"},
		{"unix:@abstract", "has to have a path"},
		{"/run/chat-%p.sock", "process id"},
		{"http://", "names no host"},
		{"http://a b/", "not a URL"},
		{"http://localhost:1/#token=secret", "without user, query and fragment"},
		{"http://secret@localhost:1/", "without user, query and fragment"},
		{"http://localhost:1/?token=secret", "without user, query and fragment"},
	} {
		if _, err := parseAddress(c.in); err == nil || !strings.Contains(err.Error(), c.problem) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v", c.in, err)
		}
	}
}

// The token is not sent where others could read it.
func TestTokenStaysHere(t *testing.T) {
	for address, fine := range map[string]bool{
		"localhost:1": true, "127.0.0.1:1": true, "127.9.9.9:1": true, "[::1]:1": true, ":1": true, "http://localhost/x": true, "https://example.com": true,
		"example.com:1": false, "10.0.0.1:1": false, "0.0.0.0:1": false, "http://example.com": false, "http://localhost.example.com": false,
	} {
		at, err := parseAddress(address)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := newClient(at, "secret"); (err == nil) != fine {
			t.Errorf("%s: %v", address, err)
		}
		if _, err := newClient(at, ""); err != nil {
			t.Errorf("%s without a token: %v", address, err)
		}
	}
}
