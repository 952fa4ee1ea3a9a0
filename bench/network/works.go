//go:build linux

package main

import (
	"fmt"
	"strings"
)

// A work is something to measure.
type work struct {
	name        string
	unit        string
	rate        bool // the figure is a rate per second, with the CPU time for each
	connections int
	size        int // of a message or file, in bytes
}

var works = []work{
	{"echo-64K", "messages/s", true, 16, 64 << 10},
	{"sendfile-1M", "files/s", true, 4, 1 << 20},
	{"tls-64", "messages/s", true, 16, 64},
	{"tls-16K", "messages/s", true, 16, 16 << 10},
	{"tls-64K", "messages/s", true, 16, 64 << 10},
	{"accept", "connections/s", true, 8, 64},
	{"idle", "bytes of memory for each", false, idleConnections, 64},
	{"idle-pooled", "bytes of memory for each, Curio's with a buffer only while it reads", false, idleConnections, 64},
}

// idleConnections stays below a limit of 20,000 descriptors, of which the process needs
// some for itself.
const idleConnections = 19_900

// bufferSize returns the size of the buffer of a server's handler for messages of the given size.
func bufferSize(size int) int { return max(size, 16<<10) }

func workOf(name string) (work, error) {
	for _, w := range works {
		if w.name == name {
			return w, nil
		}
	}
	return work{}, fmt.Errorf("no work is called %q", name)
}

func (w work) is(kind string) bool { return w.name == kind || strings.HasPrefix(w.name, kind+"-") }
