package network_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/stream"
)

// Peers that mean no good, or no longer mean anything, on every kind of listener: the
// server says who it was and what he did, and serves the next one.

// lines is a handler that answers each line.
func lines(ctx context.Context, conn network.Conn) error {
	s := stream.New(conn)
	for line, err := range s.Lines(ctx) {
		if err != nil {
			return err
		}
		if _, err := conn.SendAll(ctx, []byte(line)); err != nil {
			return err
		}
	}
	return nil
}

// named checks that err says which operation has failed, and with whom.
func named(t *testing.T, err error, ops ...string) {
	t.Helper()
	op, ok := errors.AsType[*net.OpError](err)
	if !ok || op.Net == "" || op.Source == nil || op.Source.String() == "" {
		t.Errorf("%v (%T) does not say where it comes from", err, err)
		return
	}
	if op.Net != "unix" && (op.Addr == nil || !strings.Contains(err.Error(), op.Addr.String())) {
		t.Errorf("%v does not say from whom", err)
	}
	if slices.Contains(ops, op.Op) {
		return
	}
	t.Errorf("%v is of operation %q, want one of %q", err, op.Op, ops)
}

// vanish ends a connection by a reset, if it can be reset.
func vanish(conn net.Conn) {
	if c, ok := conn.(*net.TCPConn); ok {
		_ = c.SetLinger(0)
	}
	conn.Close()
}

// halfARecord begins like one of TLS with 16 KiB.
const halfARecord = "\x17\x03\x03\x40\x00" + "and so on"

// nuisances are what is sent before anything else, and then the end.
var nuisances = map[string]string{
	"nothing":         "",
	"HTTP":            "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
	"HTTP/2":          "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	"zeros":           strings.Repeat("\x00", 20_000),
	"SSH":             "SSH-2.0-OpenSSH_9.2\r\n",
	"half a record":   halfARecord,
	"an empty record": "\x16\x03\x01\x00\x00",
	"a huge record":   "\x16\x03\x01\xff\xff" + strings.Repeat("x", 70_000),
	"half a hello":    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
	"half a header":   "PROXY TCP4 1.2.3",
	"a bad header":    "PROXY TCP4 1.2.3.4 example.org 1 2\r\n",
	"an endless one":  "PROXY TCP4 " + strings.Repeat("1", 10_000),
	"a binary header": "\r\n\r\n\x00\r\nQUIT\n\x21\x11\xff\xff" + strings.Repeat("\xff", 100),
	"two headers":     header4 + header4,
}

func TestNuisances(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			p := k.place(t)
			s := p.serve(t, network.ServerConfig{}, lines)
			p.stillServes(t, s) // what is made once is made
			s.Log.Take(msgLost)
			before := heap()
			for _, text := range nuisances {
				for _, end := range []string{"ends", "vanishes"} {
					conn := p.raw(t, s.Addr)
					_, err := io.WriteString(conn, text)
					if err == nil && end == "ends" {
						_ = conn.(interface{ CloseWrite() error }).CloseWrite()
						_, _ = io.Copy(io.Discard, conn)
					}
					vanish(conn)
				}
			}
			p.stillServes(t, s) // so all that came before have been accepted
			testutil.Await(t, "end of the handlers", func() bool { return s.handlers() == 0 })
			for _, record := range s.Log.Take(msgLost) {
				err, _ := record.Attrs["err"].(error)
				named(t, err, "handshake", "proxy", "recv", "send", "read") // the line is too long
				if record.Level != slog.LevelDebug || record.Attrs["peer"] == nil || record.Attrs["why"] == nil {
					t.Errorf("%v", record)
				}
			}
			s.Log.Empty(t, slog.LevelInfo)
			if grown := heap() - before; grown > 2<<20 {
				t.Errorf("%d bytes are kept", grown)
			}
			is(t, s.cancel(), taskCancelled...)
		})
	}
}

// heap is how many bytes are in use, after the garbage has been collected.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // pools let go at the second
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// What the layers refuse is logged with the reason; not with which words is tested here,
// but that there are some.
func TestNuisancesAreTold(t *testing.T) {
	for _, c := range []struct {
		kind     kind
		nuisance string
		op, says string
	}{
		{kind{tls: true}, "HTTP", "handshake", "first record does not look like a TLS handshake"},
		{kind{tls: true}, "half a hello", "handshake", "ended during the handshake"},
		{kind{tls: true}, "half a header", "handshake", "first record does not look like a TLS handshake"},
		{kind{unix: true, tls: true}, "HTTP", "handshake", "first record does not look like a TLS handshake"},
		{kind{proxy: true}, "HTTP", "proxy", "bad PROXY header"},
		{kind{proxy: true}, "half a header", "proxy", "unexpected EOF"},
		{kind{proxy: true}, "an endless one", "proxy", "bad PROXY header"},
		{kind{proxy: true, tls: true}, "two headers", "handshake", "first record does not look like a TLS handshake"},
		{kind{proxy: true, tls: true}, "half a hello", "handshake", "bad PROXY header"},
	} {
		p := c.kind.place(t)
		s := p.serve(t, network.ServerConfig{}, lines)
		conn := p.raw(t, s.Addr)
		writeAll(t, conn, nuisances[c.nuisance])
		_ = conn.(interface{ CloseWrite() error }).CloseWrite()
		record := s.Log.TakeOne(t, msgLost)
		err, _ := record.Attrs["err"].(error)
		named(t, err, c.op)
		if !strings.Contains(err.Error(), c.says) || record.Attrs["why"] != "the handshake failed" {
			t.Errorf("%s to a server of %+v: %v, want %q", c.nuisance, c.kind, record, c.says)
		}
		is(t, s.cancel(), taskCancelled...)
	}
}

// A peer that shakes hands well, and then sends half a record, or one that is none.
func TestTruncatedAfterHandshake(t *testing.T) {
	for _, k := range kinds {
		if !k.tls {
			continue
		}
		t.Run(k.name, func(t *testing.T) {
			p := k.place(t)
			s := p.serve(t, network.ServerConfig{}, echo)
			for _, c := range []struct{ text, says string }{
				{"", "ended without close_notify"},
				{"\x17\x03", "ended without close_notify"},
				{halfARecord, "ended without close_notify"},
				{"\x17\x03\x03\xff\xff", "oversized record"},
				{"\x17\x03\x03\x00\x05hello", "bad record MAC"},
				{"hello", "record"},
			} {
				raw := p.raw(t, s.Addr)
				conn := p.dress(t, raw)
				testutil.EchoTwice(t, conn)
				writeAll(t, raw, c.text)
				must(t, raw.(interface{ CloseWrite() error }).CloseWrite())
				var err error
				testutil.Await(t, "log", func() bool {
					for _, r := range append(s.Log.Take(msgLost), s.Log.Take(msgFailed)...) {
						err, _ = r.Attrs["err"].(error)
					}
					return err != nil
				})
				named(t, err, "recv")
				if !strings.Contains(err.Error(), c.says) {
					t.Errorf("after %q: %v, want %q", c.text, err, c.says)
				}
				p.stillServes(t, s)
			}
			is(t, s.cancel(), taskCancelled...)
		})
	}
}

// hanging are peers that say a byte and then no more, or nothing, in each part of what
// comes before the handler.
func (p *place) hanging(t *testing.T, s *server, n int) (conns []net.Conn) {
	t.Helper()
	for i := range n {
		conn := p.raw(t, s.Addr)
		said := "\x16"
		if p.proxy {
			said = "P"
			if p.tls && i%2 == 0 {
				said = header4 + "\x16"
			}
		}
		if i%5 != 0 {
			_, _ = io.WriteString(conn, said) // on a busy machine its time may be up
		}
		conns = append(conns, conn)
	}
	return conns
}

// They are let go when the time is up, and the server says who they were.
func TestSlowHandshakes(t *testing.T) {
	for _, k := range kinds {
		if !k.layered() {
			continue
		}
		t.Run(k.name, func(t *testing.T) {
			p := k.place(t)
			s := p.serve(t, network.ServerConfig{HandshakeTimeout: short}, echo)
			conns := p.hanging(t, s, 50)
			for _, conn := range conns {
				_, _ = io.Copy(io.Discard, conn) // to its end
			}
			testutil.Await(t, "end of the handlers", func() bool { return s.handlers() == 0 })
			told := s.Log.Take(msgLost)
			if len(told) != len(conns) {
				t.Errorf("%d of %d were let go", len(told), len(conns))
			}
			for _, record := range told {
				err, _ := record.Attrs["err"].(error)
				named(t, err, "handshake", "proxy")
				if !errors.Is(err, os.ErrDeadlineExceeded) || !strings.Contains(err.Error(), "not done within 30ms") || record.Attrs["why"] != "the handshake failed" {
					t.Error(record)
				}
			}
			// Who is quick enough is served, and on a busy machine that may take a few.
			testutil.Await(t, "one that is served", func() bool { return p.try(t, s.Addr) == nil })
			is(t, s.cancel(), taskCancelled...)
		})
	}
}

// They keep nobody else from being served.
func TestHangingHandshakes(t *testing.T) {
	for _, k := range kinds {
		if !k.layered() {
			continue
		}
		t.Run(k.name, func(t *testing.T) {
			p := k.place(t)
			s := p.serve(t, network.ServerConfig{}, echo)
			conns := p.hanging(t, s, 200)
			p.stillServes(t, s)
			testutil.Await(t, "all of them", func() bool { return s.handlers() == len(conns) })
			is(t, s.cancel(), taskCancelled...)
			for _, conn := range conns {
				_, _ = io.Copy(io.Discard, conn) // it is closed
			}
		})
	}
}

// A byteByByte sends one byte at a time.
type byteByByte struct{ net.Conn }

func (c byteByByte) Write(p []byte) (n int, err error) {
	for i := range p {
		if _, err := c.Conn.Write(p[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(p), nil
}

// A peer that sends one byte at a time is slow, and nothing else.
func TestByteByByte(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			p := k.place(t)
			s := p.serve(t, network.ServerConfig{}, echo)
			client := p.dress(t, byteByByte{p.raw(t, s.Addr)})
			for i := range 2 {
				// The client receives while it sends: a single byte takes as much buffer
				// space as hundreds do, so both sides would wait for room.
				data, back := testutil.Pattern(i, 1000), make([]byte, 1000)
				var sending sync.WaitGroup
				sending.Go(func() {
					if _, err := client.Write(data); err != nil {
						t.Error(err)
					}
				})
				if _, err := io.ReadFull(client, back); err != nil || !bytes.Equal(back, data) {
					t.Errorf("received something else, or %v", err)
				}
				sending.Wait()
			}
			is(t, s.cancel(), taskCancelled...)
		})
	}
}

// Who never receives ends in the time that the server has for the idle, or the handler
// for its answer; and the server keeps no more than the system has room for.
func TestPeersThatNeverRead(t *testing.T) {
	const idle, timeout = 5 * short, 2 * short
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			p := k.place(t)
			var what atomic.Value // what the handler does
			ended := make(chan error, 2)
			floods := func(ctx context.Context, conn network.Conn) error {
				for block := make([]byte, 64<<10); ; {
					if _, err := conn.SendAll(ctx, block); err != nil {
						ended <- err
						return err
					}
				}
			}
			s := p.serve(t, network.ServerConfig{IdleTimeout: idle}, func(ctx context.Context, conn network.Conn) error {
				switch what.Load() {
				case "answers in time":
					return curio.TimeoutAfter(ctx, timeout, func(ctx context.Context) error { return floods(ctx, conn) })
				case "answers":
					return floods(ctx, conn)
				}
				return echo(ctx, conn)
			})
			before := heap()
			for how, want := range map[string][]error{"answers in time": taskTimeout, "answers": {os.ErrDeadlineExceeded}} {
				what.Store(how)
				var conn net.Conn
				testutil.Await(t, "first byte", func() bool { // the limit may be over before, on a busy machine
					conn = p.dial(t, s.Addr)
					return second(conn.Read(make([]byte, 1))) == nil
				})
				err := testutil.Receive(t, "end", ended)
				named(t, err, "send")
				is(t, err, want...)
				if grown := heap() - before; grown > 2<<20 {
					t.Errorf("%d bytes are kept for a peer that does not receive", grown)
				}
				vanish(conn)
			}
			what.Store("echoes")
			testutil.Await(t, "end of the handlers", func() bool { return s.handlers() == 0 })
			// Who is quick enough is served, and on a busy machine that may take a few.
			testutil.Await(t, "one that is served", func() bool { return p.try(t, s.Addr) == nil })
			is(t, s.cancel(), taskCancelled...)
			s.Log.Take(msgFailed) // of the handler whose own timeout it was
		})
	}
}

// Lines without an end: an error that names the peer, and no more memory than the limit.
func TestOversizeLines(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			p := k.place(t)
			ended := make(chan error, 20)
			s := p.serve(t, network.ServerConfig{}, func(ctx context.Context, conn network.Conn) error {
				err := lines(ctx, conn)
				if errors.Is(err, stream.ErrLineTooLong) {
					ended <- err
					return nil
				}
				return err
			})
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			block := []byte(strings.Repeat("x", 64<<10))
			var clients sync.WaitGroup
			for range cap(ended) {
				conn := p.dial(t, s.Addr)
				clients.Go(func() {
					for range 256 { // 16 MiB
						if _, err := conn.Write(block); err != nil {
							return
						}
					}
					t.Error("it has taken all")
				})
			}
			clients.Wait()
			for range cap(ended) {
				named(t, testutil.Receive(t, "end", ended), "read", "recv")
			}
			runtime.ReadMemStats(&after)
			if each := (after.TotalAlloc - before.TotalAlloc) / uint64(cap(ended)); each > 1<<20 {
				t.Errorf("%d bytes were allocated for each", each)
			}
			testutil.Await(t, "end of the handlers", func() bool { return s.handlers() == 0 })
			s.Log.Take(msgLost)
			is(t, s.cancel(), taskCancelled...)
		})
	}
}

// Five hundred at once that are reset as soon as they are open, and as many that just
// look whether somebody is there.
func TestResetAtOnce(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			p := k.place(t)
			s := p.serve(t, network.ServerConfig{}, echo)
			on := "tcp"
			if p.unix {
				on = "unix"
			}
			for _, leave := range []func(net.Conn){vanish, func(conn net.Conn) { conn.Close() }} {
				var clients sync.WaitGroup
				for range testutil.Times(500) {
					clients.Go(func() {
						conn, err := net.Dial(on, s.Addr)
						if err != nil {
							t.Error(err)
							return
						}
						leave(conn)
					})
				}
				clients.Wait()
				p.stillServes(t, s)
			}
			testutil.Await(t, "end of the handlers", func() bool { return s.handlers() == 0 })
			is(t, s.cancel(), taskCancelled...)
			for _, record := range s.Log.Find("") {
				if record.Level > slog.LevelDebug {
					t.Fatal(record)
				}
			}
		})
	}
}

// Those who wait in the backlog and are gone when their turn comes do not take the place of
// who talks.
func TestGoneInTheBacklog(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			p := k.place(t)
			s := p.serve(t, network.ServerConfig{MaxConnections: 1, Backlog: 200}, echo)
			first := p.dial(t, s.Addr)
			testutil.EchoTwice(t, first)
			for i := range 100 {
				conn := p.raw(t, s.Addr)
				if i%2 == 0 {
					_, _ = conn.Write([]byte("x"))
				}
				vanish(conn)
			}
			first.Close()
			p.stillServes(t, s)
			is(t, s.cancel(), taskCancelled...)
			s.Log.Take(msgLost)
		})
	}
}

// Without descriptors, TLS waits as everything else, and its handshake is done afterwards.
func TestOutOfDescriptorsWithTLS(t *testing.T) {
	p := kind{tls: true}.place(t)
	s := newServer(t)
	defer restoreLimit(t)
	listener, err := p.listen(context.Background(), network.ServerConfig{})
	must(t, err)
	conn := tls.Client(testutil.Dial(t, listener.LocalAddr().String()), p.client)
	s.Addr = listener.LocalAddr().String()
	s.run(func(ctx context.Context) error {
		noMoreDescriptors(t)
		return network.RunServer(ctx, listener, echo)
	})
	s.pauses(t)
	restoreLimit(t)
	testutil.EchoTwice(t, conn)
	p.stillServes(t, s)
	for _, record := range s.Log.Take(msgPause) {
		err, _ := record.Attrs["err"].(error)
		if op, ok := errors.AsType[*net.OpError](err); !ok || op.Op != "accept" || !strings.Contains(err.Error(), s.Addr) {
			t.Errorf("%v", fmt.Sprint(err))
		}
	}
	is(t, s.cancel(), taskCancelled...)
}
