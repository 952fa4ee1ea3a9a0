//go:build linux

package main

import (
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"
)

// serve starts a server that has handle for its connections, and returns a
// short run against it. Every connection has ended when the test has.
func serve(t *testing.T, handle func(net.Conn)) config {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	group.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			group.Go(func() {
				defer conn.Close()
				handle(conn)
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		group.Wait()
	})
	return config{
		server: netip.MustParseAddrPort(listener.Addr().String()), connections: 8, size: 64, threads: 1,
		connect: 10 * time.Second, warmup: 20 * time.Millisecond, window: 100 * time.Millisecond,
	}
}

// echo returns a handler that passes what it echoes through change.
func echo(change func(b []byte) []byte) func(net.Conn) {
	return func(conn net.Conn) {
		buffer := make([]byte, 16<<10)
		for {
			n, err := conn.Read(buffer)
			if err != nil {
				return
			}
			if _, err := conn.Write(change(buffer[:n])); err != nil {
				return
			}
		}
	}
}

func unchanged(b []byte) []byte { return b }

func TestRun(t *testing.T) {
	for name, change := range map[string]func(*config){
		"plain":    func(c *config) { c.window = 300 * time.Millisecond },
		"one":      func(c *config) { c.connections = 1 },
		"one byte": func(c *config) { c.size = 1 },
		"spinning": func(c *config) { c.spin = true },
		"threads":  func(c *config) { c.threads = 3 },
		// More than a socket takes at once, and than is received at once.
		"huge": func(c *config) { c.size = 6 << 20; c.window = 300 * time.Millisecond },
	} {
		t.Run(name, func(t *testing.T) {
			c := serve(t, echo(unchanged))
			c.processes = []int{os.Getpid()}
			change(&c)
			got, err := run(c)
			if err != nil {
				t.Fatal(err)
			}
			if got.Up != c.connections || got.Alive != c.connections || got.Errors+got.Mismatches != 0 {
				t.Errorf("got %+v", got)
			}
			if got.Messages == 0 || got.P50 <= 0 || got.P50 > got.P99 || got.P999 > got.Max*1.004 {
				t.Errorf("got %+v", got)
			}
			if got.Server == nil || got.Server.CPU <= 0 || got.Server.RSS <= 0 {
				t.Errorf("server: %+v", got.Server)
			}
		})
	}
}

// TestRunCountsMessages compares what was counted with what the server saw.
func TestRunCountsMessages(t *testing.T) {
	var mu sync.Mutex
	served := 0
	c := serve(t, echo(func(b []byte) []byte {
		mu.Lock()
		defer mu.Unlock()
		served += len(b)
		return b
	}))
	c.warmup = 0
	got, err := run(c)
	if err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	// Of each connection also the first message, and the one under way at the
	// end; and messages just before and just after the window.
	if whole := uint64(served / c.size); got.Messages > whole || float64(got.Messages) < 0.5*float64(whole) {
		t.Errorf("counted %d messages, the server %d", got.Messages, whole)
	}
}

func TestRunNoticesWrongBytes(t *testing.T) {
	// Each returns a function to be called with what is to be echoed; wrong
	// only after some messages, when the connection has long been up.
	for name, handler := range map[string]func() func([]byte) []byte{
		"at once": func() func([]byte) []byte {
			return func(b []byte) []byte { b[len(b)-1] ^= 1; return b }
		},
		"one bit, later": func() func([]byte) []byte {
			messages := 0
			return func(b []byte) []byte {
				if messages++; messages == 10 {
					b[len(b)/2] ^= 0x80
				}
				return b
			}
		},
		"the message before": func() func([]byte) []byte {
			messages, before := 0, []byte(nil)
			return func(b []byte) []byte {
				this := append([]byte(nil), b...)
				if messages++; messages >= 10 {
					b = before
				}
				before = this
				return b
			}
		},
		"too much": func() func([]byte) []byte {
			messages := 0
			return func(b []byte) []byte {
				if messages++; messages >= 10 {
					b = append(b, 0)
				}
				return b
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := serve(t, func(conn net.Conn) { echo(handler())(conn) })
			got, err := run(c)
			if err != nil {
				t.Fatal(err)
			}
			if got.Mismatches != c.connections || got.Alive != 0 {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// TestRunTakesTornEchoes has a server that answers in small pieces.
func TestRunTakesTornEchoes(t *testing.T) {
	c := serve(t, func(conn net.Conn) {
		buffer := make([]byte, 7)
		for {
			n, err := conn.Read(buffer)
			if err != nil {
				return
			}
			for i := range n {
				if _, err := conn.Write(buffer[i : i+1]); err != nil {
					return
				}
			}
		}
	})
	got, err := run(c)
	if err != nil {
		t.Fatal(err)
	}
	if got.Messages == 0 || got.Errors+got.Mismatches != 0 || got.Alive != c.connections {
		t.Errorf("got %+v", got)
	}
}

// TestRunSurvivesItsServer has connections that end, and then the run with them.
func TestRunSurvivesItsServer(t *testing.T) {
	c := serve(t, func(conn net.Conn) { io.CopyN(conn, conn, 640) })
	c.window = time.Minute
	began := time.Now()
	got, err := run(c)
	if err != nil {
		t.Fatal(err)
	}
	if got.Up != c.connections || got.Alive != 0 || got.Errors != c.connections {
		t.Errorf("got %+v", got)
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("took %v although no connection was left", took)
	}
}

// TestRunSeesSilence has a server that stops to answer.
func TestRunSeesSilence(t *testing.T) {
	c := serve(t, func(conn net.Conn) {
		io.CopyN(conn, conn, 64)
		io.Copy(io.Discard, conn)
	})
	got, err := run(c)
	if err != nil {
		t.Fatal(err)
	}
	if got.Messages != 0 || got.Alive != c.connections || got.Oldest < 100e3 {
		t.Errorf("got %+v", got)
	}
}

// TestRunTriesAgain has a server that turns the first connections away.
func TestRunTriesAgain(t *testing.T) {
	var mu sync.Mutex
	turnedAway := 0
	c := serve(t, func(conn net.Conn) {
		mu.Lock()
		if turnedAway++; turnedAway <= 20 {
			mu.Unlock()
			return
		}
		mu.Unlock()
		echo(unchanged)(conn)
	})
	got, err := run(c)
	if err != nil {
		t.Fatal(err)
	}
	if got.Up != c.connections || got.Errors != 0 || turnedAway != 20+c.connections {
		t.Errorf("%d tries, got %+v", turnedAway, got)
	}
}

func TestRunWithoutServer(t *testing.T) {
	c := serve(t, nil)
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	c.server = netip.MustParseAddrPort(listener.Addr().String())
	c.connect = 200 * time.Millisecond
	got, err := run(c)
	if err != nil {
		t.Fatal(err)
	}
	if got.Up != 0 || got.Errors != c.connections {
		t.Errorf("got %+v", got)
	}
}
