//go:build linux

package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/curio-go/curio/bench/servers/python"
)

// A server is run as COMMAND PORT, and echoes on 127.0.0.1:PORT.
type server struct {
	name    string
	command []string // empty until it is known how to run it
	missing string   // why it cannot be run
}

// ours are the servers that come with this module: those that building servers/NAME gives,
// and those in Python.
var ours = append(strings.Split(defaultOnly, ","), slices.Sorted(maps.Keys(python.Servers))...)

// choose returns the servers to run: the extra ones and the reference always.
func choose(only, ref string, extra []server) ([]server, error) {
	wanted := strings.Split(only, ",")
	var chosen []server
	add := func(name string) error {
		if slices.ContainsFunc(chosen, func(s server) bool { return s.name == name }) {
			return nil
		}
		if i := slices.IndexFunc(extra, func(s server) bool { return s.name == name }); i >= 0 {
			chosen = append(chosen, extra[i])
			return nil
		}
		if !slices.Contains(ours, name) {
			return fmt.Errorf("no such server: %q (there are %s, and what -extra names)", name, strings.Join(ours, ", "))
		}
		chosen = append(chosen, server{name: name})
		return nil
	}
	names := append([]string{ref}, wanted...)
	for _, s := range extra {
		names = append(names, s.name)
	}
	for _, name := range names {
		if err := add(name); err != nil {
			return nil, err
		}
	}
	return chosen, nil
}

// foreign reads NAME=COMMAND.
func foreign(text string) (server, error) {
	name, command, _ := strings.Cut(text, "=")
	words := strings.Fields(command)
	if name == "" || len(words) == 0 {
		return server{}, fmt.Errorf("%q is not NAME=COMMAND", text)
	}
	return server{name: name, command: words}, nil
}
