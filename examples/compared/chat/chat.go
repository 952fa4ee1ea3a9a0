// Package chat is a chat server, written twice: with Curio in curio.go, and with the
// standard library in std.go.
//
// A client is asked for a name, which nobody else may have. From then on it receives each
// line that anybody sends. A client that does not keep up misses lines, and is told how
// many; it holds up nobody. A client that sends nothing for too long, or takes nothing of
// what it is sent, is gone. When the server stops, every member receives what was said
// before, and a good-bye.
package chat

import (
	"fmt"
	"strings"
	"time"
	"unicode"
)

// Settings are the limits of a server. All of them have to be set.
type Settings struct {
	MaxConnections int           // clients at a time; others wait to be accepted
	Idle           time.Duration // how long a client may neither send nor take anything
	LineLimit      int           // bytes of a line, its end included; a longer one is refused
	Backlog        int           // lines that a member may lag behind without missing any
	Grace          time.Duration // for the last words when the server stops
}

// Default is for a server on the open internet.
var Default = Settings{MaxConnections: 1000, Idle: 10 * time.Minute, LineLimit: 1000, Backlog: 100, Grace: time.Second}

const (
	question   = "* your name?"
	refusal    = "* that name will not do, or is taken; good-bye"
	tooLong    = "* that line was too long, and nobody has seen it"
	idle       = "* you have said nothing for too long; good-bye"
	closing    = "* the server is closing; good-bye"
	hasJoined  = "* %s has joined"
	hasLeft    = "* %s has left"
	haveMissed = "* you have missed %d lines"
)

// said is what the others see of a line that name has sent.
func said(name, line string) string { return fmt.Sprintf("%s: %s", name, clean(line)) }

// clean removes everything from a line that is not text, such as control sequences for a
// terminal.
func clean(line string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, line))
}

// goodName refuses names that could be taken for something else, such as a line of the
// server's.
func goodName(name string) bool {
	return name != "" && len(name) <= 40 && !strings.ContainsAny(name, "*:")
}
