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
	"github.com/curio-go/curio/process"
)

func TestMain(m *testing.M) {
	process.Main()
	testutil.Main(m, main)
}

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

type client struct {
	t    *testing.T
	conn *net.TCPConn
	in   *bufio.Reader
}

func connect(t *testing.T, addr string) *client {
	t.Helper()
	conn := testutil.Dial(t, addr).(*net.TCPConn)
	return &client{t, conn, bufio.NewReader(conn)}
}

func (c *client) says(lines ...string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, strings.Join(lines, "\n")+"\n"); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) hears(lines ...string) {
	c.t.Helper()
	for _, line := range lines {
		if got, err := c.in.ReadString('\n'); err != nil || got != line+"\n" {
			c.t.Fatalf("heard %q, %v, want %q", got, err, line)
		}
	}
}

// ended checks that nothing more comes.
func (c *client) ended() {
	c.t.Helper()
	if rest, err := io.ReadAll(c.in); err != nil || len(rest) > 0 {
		c.t.Errorf("heard %q, %v, and not the end", rest, err)
	}
}

const endless = "93" // takes a hundred thousand years

func TestAnswers(t *testing.T) {
	server, addr := start(t)
	c := connect(t, addr)
	c.says("10")
	c.hears("55")
	c.says("0", "1", "2\r", " 20 ", "-1", "94", "", "ten", "30") // without waiting
	const refused = "* a number from 0 to 93, please"
	c.hears("0", "1", "1", "6765", refused, refused, refused, refused, "832040")
	ends(t, server)
	c.ended()
}

func TestNetcat(t *testing.T) {
	testutil.Need(t, "nc")
	server, addr := start(t)
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	nc := testutil.Program(t, "nc", "-N", host, port)
	fmt.Fprintln(nc.Stdin, "12")
	nc.After("144")
	nc.Stdin.Close()
	if rest, status := nc.Rest(); rest != "" || status != 0 {
		t.Errorf("nc received %q and ended with status %d", rest, status)
	}
	ends(t, server)
}

// There is one worker. Nobody else gets an answer while it computes for somebody, unless that client leaves.
func TestClientLeaves(t *testing.T) {
	for how, leave := range map[string]func(c *net.TCPConn) error{
		"close":      (*net.TCPConn).Close,
		"half-close": (*net.TCPConn).CloseWrite,
		"reset": func(c *net.TCPConn) error {
			if err := c.SetLinger(0); err != nil {
				return err
			}
			return c.Close()
		},
	} {
		t.Run(how, func(t *testing.T) {
			server, addr := start(t, "-workers", "1", "-limit", "1h")
			first, second := connect(t, addr), connect(t, addr)
			first.says("3", endless, endless)
			first.hears("2")
			second.says("10")
			if err := leave(first.conn); err != nil {
				t.Fatal(err)
			}
			second.hears("55")
			ends(t, server)
		})
	}
}

// A computation without end does not keep anybody waiting who asks another worker.
func TestOthersGoOn(t *testing.T) {
	server, addr := start(t, "-workers", "2", "-limit", "1h")
	slow, quick := connect(t, addr), connect(t, addr)
	slow.says("3", endless)
	slow.hears("2")
	for range 10 {
		quick.says("15")
		quick.hears("610")
	}
	server.Interrupt()
	_ = server.InterruptAgain() // the computation would be waited for
	server.EndedBy(syscall.SIGINT)
}

// Too long is an answer, and the next one comes from a new worker.
func TestTooLong(t *testing.T) {
	server, addr := start(t, "-workers", "1", "-limit", "1s")
	c := connect(t, addr)
	const tooLong = "* that takes too long"
	c.says(endless)
	c.hears(tooLong)
	for answer := tooLong; answer != "55"; { // on a busy machine it may take that long to start a worker
		c.says("10")
		line, err := c.in.ReadString('\n')
		if answer = strings.TrimSpace(line); err != nil || answer != "55" && answer != tooLong {
			t.Fatalf("heard %q, %v", line, err)
		}
	}
	ends(t, server)
}

func TestTooMuch(t *testing.T) {
	server, addr := start(t, "-workers", "1", "-limit", "1h")
	greedy := connect(t, addr)
	greedy.says(strings.Repeat(endless+"\n", 1+ahead+1))
	greedy.hears(fmt.Sprintf("* no more than %d numbers at a time; good-bye", ahead))
	greedy.ended()
	verbose := connect(t, addr)
	verbose.says("10", strings.Repeat("1", longest+1))
	if said, err := io.ReadAll(verbose.in); err != nil || !strings.HasSuffix(string(said), "* a line has no more than 100 bytes; good-bye\n") {
		t.Errorf("heard %q, %v", said, err)
	}
	c := connect(t, addr)
	c.says("10")
	c.hears("55")
	ends(t, server)
}

// At Ctrl-C a client that waits for nothing is let go at once, and at the second one the others, too.
func TestInterrupt(t *testing.T) {
	server, addr := start(t, "-workers", "1", "-limit", "1h")
	busy, idle := connect(t, addr), connect(t, addr)
	busy.says("3", endless)
	busy.hears("2")
	idle.says("4x")
	idle.hears("* a number from 0 to 93, please")
	server.Interrupt()
	idle.ended()
	_ = server.InterruptAgain()
	server.EndedBy(syscall.SIGINT)
	busy.ended()
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{"-workers", "-1"}, {"-limit", "0s"}, {"10"}} {
		c := testutil.Self(t, args...)
		if said, status := c.Rest(); said != "" || status != 2 || !strings.Contains(c.Stderr(), "-limit duration") {
			t.Errorf("%q: it said %q, complained %q and ended with %d", args, said, c.Stderr(), status)
		}
	}
}
