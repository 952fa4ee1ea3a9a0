package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/curio-go/curio/examples/compared/chat"
	"github.com/curio-go/curio/internal/testutil"
)

// A client is somebody who chats.
type client struct {
	t    *testing.T
	conn *net.TCPConn
	in   *bufio.Reader
}

// connects is asked for a name.
func connects(t *testing.T, addr string) *client {
	t.Helper()
	conn := testutil.Dial(t, addr).(*net.TCPConn)
	c := &client{t, conn, bufio.NewReader(conn)}
	c.hears("* your name?")
	return c
}

// joins connects, gives a name, and hears of it, as others do.
func joins(t *testing.T, addr, name string, others ...*client) *client {
	t.Helper()
	c := connects(t, addr)
	c.says(name)
	for _, c := range append(others, c) {
		c.hears("* " + name + " has joined")
	}
	return c
}

func (c *client) says(line string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, line+"\n"); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) hears(line string) {
	c.t.Helper()
	if got, err := c.in.ReadString('\n'); err != nil || got != line+"\n" {
		c.t.Fatalf("heard %q, %v, want %q", got, err, line)
	}
}

// ended checks that nothing more comes.
func (c *client) ended() {
	c.t.Helper()
	if rest, err := io.ReadAll(c.in); err != nil || len(rest) > 0 {
		c.t.Errorf("heard %q, %v, and not the end", rest, err)
	}
}

// leaves closes the connection, and the others hear of it.
func (c *client) leaves(name string, others ...*client) {
	c.t.Helper()
	c.conn.Close()
	for _, other := range others {
		other.hears("* " + name + " has left")
	}
}

func TestChat(t *testing.T) {
	versions(t, chat.ServeCurio, chat.ServeStd, func(t *testing.T, program chatServer) {
		addr := serve(t, program, chat.Default).addr
		ann := joins(t, addr, "Ann")
		bob := joins(t, addr, "Bob", ann)
		for _, name := range []string{"Ann", "", "\x1b", "* the server", "a: b", strings.Repeat("x", 41)} {
			c := connects(t, addr)
			c.says(name)
			c.hears("* that name will not do, or is taken; good-bye")
			c.ended()
		}
		testutil.Dial(t, addr).Close() // nobody
		ann.says("hello\r")
		bob.hears("Ann: hello")
		ann.hears("Ann: hello")
		bob.leaves("Bob", ann)
		bob = joins(t, addr, "Bob", ann) // the name is free again
		bob.conn.SetLinger(0)            // a reset
		bob.leaves("Bob", ann)

		cleo := joins(t, addr, "Cleo", ann)
		io.WriteString(cleo.conn, "a line without end")
		cleo.conn.CloseWrite()
		ann.hears("Cleo: a line without end")
		ann.hears("* Cleo has left")
	})
}

type chatServer = func(context.Context, string, chat.Settings, func(net.Addr)) error

func TestChatLongLines(t *testing.T) {
	settings := chat.Default
	settings.LineLimit = 1000
	versions(t, chat.ServeCurio, chat.ServeStd, func(t *testing.T, program chatServer) {
		addr := serve(t, program, settings).addr
		ann := joins(t, addr, "Ann")
		bob := joins(t, addr, "Bob", ann)
		longest := strings.Repeat("x", settings.LineLimit-1)
		bob.says(longest)
		ann.hears("Bob: " + longest)
		for _, n := range []int{settings.LineLimit, 100_000} {
			bob.says(strings.Repeat("y", n))
			ann.says("hello")
			ann.hears("Ann: hello") // and nothing of Bob's
		}
		bob.says("I see")
		ann.hears("Bob: I see")
		heard := ""
		for !strings.Contains(heard, "Bob: I see") {
			line, err := bob.in.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			heard += line
		}
		if n := strings.Count(heard, "* that line was too long"); n != 2 {
			t.Errorf("Bob was told %d times that a line was too long:\n%s", n, heard)
		}
	})
}

func TestChatIdle(t *testing.T) {
	settings := chat.Default
	settings.Idle = 500 * time.Millisecond
	versions(t, chat.ServeCurio, chat.ServeStd, func(t *testing.T, program chatServer) {
		addr := serve(t, program, settings).addr
		nameless := connects(t, addr)
		ann := joins(t, addr, "Ann")
		ann.says("is anybody there?")
		ann.hears("Ann: is anybody there?")
		ann.hears("* you have said nothing for too long; good-bye")
		ann.ended()
		nameless.ended()
	})
}

// floods says more than the system keeps for a member that reads nothing, as soon as others
// have heard what was said before.
func (c *client) floods(name string) {
	c.t.Helper()
	for i := range 1500 {
		line := fmt.Sprintf("%d %s", i, strings.Repeat("x", 900))
		c.says(line)
		c.hears(name + ": " + line)
	}
}

// joinsSlowly is joins for a member that reads nothing any more.
func joinsSlowly(t *testing.T, addr string) *client {
	t.Helper()
	c := joins(t, addr, "Slow")
	if err := c.conn.SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	return c
}

var missed = regexp.MustCompile(`^\* you have missed \d+ lines\n$`)

// A member that does not read for a while holds nobody up, misses lines, and goes on.
func TestChatMissedLines(t *testing.T) {
	settings := chat.Default
	settings.Backlog = 10
	versions(t, chat.ServeCurio, chat.ServeStd, func(t *testing.T, program chatServer) {
		addr := serve(t, program, settings).addr
		slow := joinsSlowly(t, addr)
		ann := joins(t, addr, "Ann")
		ann.floods("Ann")
		for line := ""; !missed.MatchString(line); {
			var err error
			if line, err = slow.in.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
		}
		slow.says("what was that?")
		ann.hears("Slow: what was that?")
	})
}

// A member that takes nothing for too long is gone.
func TestChatSlowReader(t *testing.T) {
	settings := chat.Default
	settings.Idle = time.Second
	versions(t, chat.ServeCurio, chat.ServeStd, func(t *testing.T, program chatServer) {
		addr := serve(t, program, settings).addr
		slow := joinsSlowly(t, addr)
		ann := joins(t, addr, "Ann")
		for left := false; !left; {
			io.WriteString(slow.conn, "I am here\n") // but does not read; in the end it cannot write either
			ann.says(strings.Repeat("x", 900))
			for heard := false; !heard && !left; {
				line, err := ann.in.ReadString('\n')
				if err != nil {
					t.Fatal(err)
				}
				heard = strings.HasPrefix(line, "Ann: x")
				left = line == "* Slow has left\n"
			}
		}
	})
}

func TestChatMaxConnections(t *testing.T) {
	settings := chat.Default
	settings.MaxConnections = 2
	versions(t, chat.ServeCurio, chat.ServeStd, func(t *testing.T, program chatServer) {
		addr := serve(t, program, settings).addr
		ann := joins(t, addr, "Ann")
		bob := joins(t, addr, "Bob", ann)
		conn := testutil.Dial(t, addr).(*net.TCPConn) // connected, as far as it can tell
		cleo := &client{t, conn, bufio.NewReader(conn)}
		cleo.says("Cleo")
		ann.says("hello")
		ann.hears("Ann: hello") // and nothing of Cleo
		bob.leaves("Bob", ann)
		ann.hears("* Cleo has joined")
		cleo.hears("* your name?")
	})
}

func TestChatStops(t *testing.T) {
	versions(t, chat.ServeCurio, chat.ServeStd, func(t *testing.T, program chatServer) {
		s := serve(t, program, chat.Default)
		nameless := connects(t, s.addr)
		ann := joins(t, s.addr, "Ann")
		bob := joins(t, s.addr, "Bob", ann)
		for i := range 50 { // what was said before is delivered
			ann.says(fmt.Sprint(i))
		}
		bob.hears("Ann: 0")
		for i := range 50 {
			ann.hears(fmt.Sprintf("Ann: %d", i))
		}
		s.mustEnd()
		for i := range 49 {
			bob.hears(fmt.Sprintf("Ann: %d", i+1))
		}
		for _, c := range []*client{ann, bob} {
			for line := ""; line != "* the server is closing; good-bye\n"; {
				var err error
				if line, err = c.in.ReadString('\n'); err != nil {
					t.Fatal(err)
				}
				if !strings.HasPrefix(line, "* ") {
					t.Errorf("heard %q", line)
				}
			}
			c.ended()
		}
		nameless.ended()
		if _, err := net.Dial("tcp", s.addr); err == nil {
			t.Error("somebody can still connect")
		}
	})
}

// A member that takes nothing does not hold the server's end up for longer than the grace.
func TestChatStopsInTime(t *testing.T) {
	settings := chat.Default
	settings.Grace = 100 * time.Millisecond
	versions(t, chat.ServeCurio, chat.ServeStd, func(t *testing.T, program chatServer) {
		s := serve(t, program, settings)
		joinsSlowly(t, s.addr)
		ann := joins(t, s.addr, "Ann")
		ann.floods("Ann")
		began := time.Now()
		s.mustEnd()
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("it took %v to stop", took)
		}
	})
}
