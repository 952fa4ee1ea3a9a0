package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m, main) }

func start(t *testing.T, args ...string) (server *testutil.Child, addr string) {
	t.Helper()
	testutil.NoLeaks(t)
	server = testutil.Self(t, append([]string{"-addr", "127.0.0.1:0"}, args...)...)
	return server, server.After("listening on ")
}

func ends(t *testing.T, server *testutil.Child) {
	t.Helper()
	server.Interrupt()
	if said := server.EndedBy(syscall.SIGINT); said != "" {
		t.Errorf("it said %q", said)
	}
}

// A client is somebody who chats.
type client struct {
	t    *testing.T
	conn *net.TCPConn
	in   *bufio.Reader
}

// enter connects, and gives a name when asked for it.
func enter(t *testing.T, addr, name string) *client {
	t.Helper()
	conn := testutil.Dial(t, addr).(*net.TCPConn)
	c := &client{t, conn, bufio.NewReader(conn)}
	c.hears("* your name?")
	c.says(name)
	return c
}

// joins enters, as one more besides others, who hear of it.
func joins(t *testing.T, addr, name string, others ...*client) *client {
	t.Helper()
	c := enter(t, addr, name)
	c.hears(fmt.Sprintf("* welcome, %s; others here: %d", name, len(others)))
	for _, other := range others {
		other.hears("* " + name + " has joined")
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

func TestChat(t *testing.T) {
	server, addr := start(t)
	ann := joins(t, addr, "Ann")
	bob := joins(t, addr, "Bob", ann)
	cleo := joins(t, addr, "Cleo", ann, bob)
	ann.says("hello")
	bob.hears("Ann: hello")
	cleo.hears("Ann: hello")
	bob.says("hello, Ann\r")
	ann.hears("Bob: hello, Ann") // and has not heard himself
	cleo.hears("Bob: hello, Ann")
	bob.conn.Close()
	ann.hears("* Bob has left")
	cleo.hears("* Bob has left")
	bob = joins(t, addr, "Bob", ann, cleo) // the name is free again
	if err := bob.conn.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	bob.conn.Close() // a reset
	ann.hears("* Bob has left")
	for _, c := range []*client{ann, cleo} {
		c.conn.Close()
	}
	ends(t, server)
}

func TestNetcat(t *testing.T) {
	testutil.Need(t, "nc")
	server, addr := start(t)
	ann := joins(t, addr, "Ann")
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	nc := testutil.Program(t, "nc", "-N", host, port)
	fmt.Fprintln(nc.Stdin, "Net Cat")
	nc.After("* your name?")
	nc.After("* welcome, Net Cat; others here: 1")
	ann.hears("* Net Cat has joined")
	ann.says("hello")
	nc.After("Ann: hello")
	fmt.Fprint(nc.Stdin, "a line without end")
	nc.Stdin.Close()
	ann.hears("Net Cat: a line without end")
	ann.hears("* Net Cat has left")
	if rest, status := nc.Rest(); rest != "" || status != 0 {
		t.Errorf("nc received %q and ended with status %d", rest, status)
	}
	ends(t, server)
}

func TestRefused(t *testing.T) {
	server, addr := start(t)
	ann := joins(t, addr, "Ann")
	for _, name := range []string{"Ann", "", "  ", "\x1b", "* the server", "a: b", strings.Repeat("x", longestName+1)} {
		c := enter(t, addr, name)
		c.hears("* that name will not do, or is taken; good-bye")
		c.ended()
	}
	testutil.Dial(t, addr).Close() // nobody
	bob := joins(t, addr, "Bob", ann)
	ann.says(strings.Repeat("x", longest-1))
	bob.hears("Ann: " + strings.Repeat("x", longest-1))
	bob.says(strings.Repeat("y", longest+1)) // in one piece, so that all of it is read
	bob.hears(fmt.Sprintf("* a line has no more than %d bytes; good-bye", longest))
	ann.hears("* Bob has left")
	ends(t, server)
}

// A member that sends more at once than the others can read is held up, and no member that
// reads is thrown out.
func TestBurst(t *testing.T) {
	server, addr := start(t)
	ann := joins(t, addr, "Ann")
	bob := joins(t, addr, "Bob", ann)
	cleo := joins(t, addr, "Cleo", ann, bob)
	const n = 20_000
	var burst strings.Builder
	for i := range n {
		fmt.Fprintf(&burst, "%d\n", i)
	}
	sent := make(chan error, 1)
	go func() {
		_, err := io.WriteString(ann.conn, burst.String())
		sent <- err
	}()
	for i := range n {
		line := fmt.Sprintf("Ann: %d", i)
		bob.hears(line)
		cleo.hears(line)
	}
	if err := testutil.Receive(t, "end of the burst", sent); err != nil {
		t.Error(err)
	}
	bob.says("\x1b[2Jenough\a")
	ann.hears("Bob: [2Jenough")
	cleo.hears("Bob: [2Jenough")
	ends(t, server)
}

// A member that does not read holds the others up for a while, and is then thrown out.
func TestSlowReader(t *testing.T) {
	server, addr := start(t, "-patience", "200ms")
	slow := joins(t, addr, "Slow")
	ann := joins(t, addr, "Ann", slow)
	bob := joins(t, addr, "Bob", slow, ann)
	text := strings.Repeat("x", longest-1)
	left := false
	for i := 0; !left; i++ {
		if i > 100_000 {
			t.Fatal("Slow is still there")
		}
		ann.says(text)
		for heard := false; !heard; {
			line, err := bob.in.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			switch line {
			case "Ann: " + text + "\n":
				heard = true
			case "* Slow has left\n":
				left = true
			default:
				t.Fatalf("heard %q", line)
			}
		}
	}
	ann.hears("* Slow has left")
	bob.says("at last")
	ann.hears("Bob: at last")
	ends(t, server)
}

func TestFarewell(t *testing.T) {
	server, addr := start(t)
	ann := joins(t, addr, "Ann")
	bob := joins(t, addr, "Bob", ann)
	conn := testutil.Dial(t, addr)
	nameless := &client{t, conn.(*net.TCPConn), bufio.NewReader(conn)}
	nameless.hears("* your name?")
	ends(t, server)
	for _, c := range []*client{ann, bob} {
		c.hears("* the server is closing; good-bye")
		c.ended()
	}
	nameless.ended()
}

func TestAddressInUse(t *testing.T) {
	_, addr := start(t)
	second := testutil.Self(t, "-addr", addr)
	if printed, status := second.Rest(); printed != "" || status != 1 || !strings.Contains(second.Stderr(), "address already in use") {
		t.Errorf("it printed %q, complained %q and ended with status %d", printed, second.Stderr(), status)
	}
}
