package network_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

// Clients are processes of their own: each end of a connection takes a descriptor,
// of which a process may not have enough for both.

// clientsMain opens many connections at once. It goes on step by step, with a line
// from its standard input, and says when it has done each step. Its arguments are
// the address to connect with, how many, and a seed.
func clientsMain(args []string) {
	n, _ := strconv.Atoi(args[1])
	seed, _ := strconv.Atoi(args[2])
	steps := bufio.NewScanner(os.Stdin)
	conns := make([]net.Conn, n)
	atOnce := make(chan struct{}, 100) // what can wait to be accepted is limited
	forEach(conns, func(i int, _ net.Conn) (err error) {
		atOnce <- struct{}{}
		defer func() { <-atOnce }()
		conns[i], err = net.Dial("tcp", args[0])
		return err
	})
	fmt.Println("connected")
	for steps.Scan() {
		switch steps.Text() {
		case "echo":
			forEach(conns, func(i int, conn net.Conn) error {
				random := rand.New(rand.NewPCG(uint64(seed), uint64(i)))
				for range 4 {
					if err := testutil.Echo(conn, testutil.Pattern(random.Int(), 1+random.IntN(4000))); err != nil {
						return err
					}
				}
				return nil
			})
			fmt.Println("echoed")
		case "leave":
			forEach(conns, func(i int, conn net.Conn) error { return leave(conn, seed+i) })
			fmt.Println("left")
		case "flood":
			for i := 0; i < len(conns); i += 10 {
				go flood(conns[i])
			}
			fmt.Println("flooding")
		}
	}
}

func forEach(conns []net.Conn, do func(i int, conn net.Conn) error) {
	var all sync.WaitGroup
	for i, conn := range conns {
		all.Go(func() {
			if err := do(i, conn); err != nil {
				fmt.Fprintln(os.Stderr, "client", i, err)
				os.Exit(1)
			}
		})
	}
	all.Wait()
}

// leave ends a connection in one of several ways.
func leave(conn net.Conn, seed int) error {
	defer conn.Close()
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	data := testutil.Pattern(seed, 1+random.IntN(20_000))
	switch random.IntN(4) {
	case 0: // ends its side, and receives the rest
		return testutil.EchoAll(conn, data)
	case 1: // resets in the middle
		if _, err := conn.Write(data); err != nil {
			return err
		}
		return conn.(*net.TCPConn).SetLinger(0)
	case 2: // closes with something left to receive, which is a reset as well
		_, err := conn.Write(data)
		return err
	}
	return nil // just closes
}

// flood sends and never receives, so that the server comes to wait for room. The
// system's memory for TCP is not to run out, for then it resets what connections it
// likes.
func flood(conn net.Conn) {
	_ = conn.(*net.TCPConn).SetWriteBuffer(4096)
	for block := make([]byte, 64<<10); ; {
		if _, err := conn.Write(block); err != nil {
			return
		}
	}
}

// Many connections at once are served, end in all sorts of ways, and leave nothing.
func TestManyConnections(t *testing.T) {
	perChild, children := 2500, 4
	if !testutil.Long || testutil.Race {
		perChild = 250
	}
	began := time.Now()
	s := newServer(t)
	listener := listen(t, "127.0.0.1:0", nil)
	s.run(func(ctx context.Context) error { return network.RunServer(ctx, listener, echo) })
	seed := rand.IntN(1 << 30)
	t.Logf("seed %d", seed)

	var clients []*testutil.Child
	for i := range children {
		clients = append(clients, testutil.Self(t, "clients", listener.LocalAddr().String(),
			strconv.Itoa(perChild), strconv.Itoa(seed+i*perChild)))
	}
	for _, c := range clients {
		c.After("connected")
	}
	testutil.Await(t, "all connections", func() bool { return s.handlers() == children*perChild })
	t.Logf("%d connections after %v", s.handlers(), time.Since(began).Round(time.Millisecond))

	step := func(clients []*testutil.Child, do, done string) {
		for _, c := range clients {
			fmt.Fprintln(c.Stdin, do)
		}
		for _, c := range clients {
			c.After(done)
		}
		t.Logf("%s after %v", done, time.Since(began).Round(time.Millisecond))
	}
	step(clients, "echo", "echoed")
	vanishing, leaving := clients[:1], clients[1:]
	step(vanishing, "flood", "flooding")
	step(leaving, "leave", "left")
	testutil.Await(t, "handlers that wait for room", func() bool {
		return slices.ContainsFunc(s.Kernel.Tasks(), func(task *curio.AnyTask) bool { return task.State() == "WRITE_WAIT" })
	})
	for _, c := range vanishing {
		c.Kill()
		c.Wait()
	}
	for _, c := range leaving {
		c.Stdin.Close()
		if status := c.Wait(); status != 0 {
			t.Errorf("clients ended with status %d", status)
		}
	}
	testutil.Await(t, "end of all handlers", func() bool { return s.handlers() == 0 })
	is(t, s.cancel(), taskCancelled...)
	t.Logf("all ended after %v", time.Since(began).Round(time.Millisecond))
	// What newServer checks at the end: no task, no descriptor, no goroutine, and
	// nothing in the log above the debug level, although so many were reset.
}
