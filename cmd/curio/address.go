package main

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// An address says where a monitor is.
type address struct {
	text   string // as it is shown
	socket string // the path of a Unix socket, "" for none
	base   string // the URL without a slash at its end
	secret bool   // whether the token may be sent there
}

var errNoAddress = errors.New("where is the monitor? Give its address, or set CURIO_MONITOR")

// parseAddress reads an address in the form that monitor.On takes: unix:/path, a path with a slash, or host:port. A
// handler that a program has mounted in a server of its own has a URL.
func parseAddress(text string) (address, error) {
	switch path, unix := strings.CutPrefix(text, "unix:"); {
	case text == "":
		return address{}, errNoAddress
	case strings.HasPrefix(text, "http://"), strings.HasPrefix(text, "https://"):
		return parseURL(text)
	case unix || strings.Contains(text, "/"):
		return unixAddress(path)
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return address{}, fmt.Errorf("%s is not an address: want unix:/path, host:port or a URL", clean(text))
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return address{}, fmt.Errorf("%s has no port that can be connected to", clean(text))
	}
	host = cmp.Or(host, "localhost")
	hostport := net.JoinHostPort(host, port)
	return address{text: hostport, base: "http://" + hostport, secret: isLoopback(host)}, nil
}

func unixAddress(path string) (address, error) {
	switch {
	case path == "" || strings.HasPrefix(path, "@"):
		return address{}, errors.New("a Unix socket has to have a path")
	case strings.Contains(path, "%p"):
		return address{}, fmt.Errorf("%s: %%p stands for a process id: write the id of the program", clean(path))
	}
	return address{text: "unix:" + path, socket: path, base: "http://localhost"}, nil
}

func parseURL(text string) (address, error) {
	u, err := url.Parse(text)
	if err != nil {
		return address{}, fmt.Errorf("%s is not a URL", clean(text))
	}
	if u.Host == "" {
		return address{}, fmt.Errorf("%s names no host", clean(text))
	}
	if u.Fragment != "" || u.User != nil || u.RawQuery != "" {
		// The text is not shown: it may have a token.
		return address{}, errors.New("a URL has to be without user, query and fragment: the token comes from CURIO_MONITOR_TOKEN or -token-file")
	}
	base := strings.TrimSuffix(u.String(), "/")
	return address{text: base, base: base, secret: u.Scheme == "https" || isLoopback(u.Hostname())}, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
