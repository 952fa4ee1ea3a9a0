package network_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/socket"
)

// sends is a side that sends text below TLS and then waits for the other side to close.
func sends(conn network.Conn, text string) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		if _, err := conn.SendAll(ctx, []byte(text)); err != nil {
			return err
		}
		for {
			if _, err := conn.Recv(ctx, make([]byte, 1000)); err != nil {
				return nil // or it was reset
			}
		}
	}
}

// Peers that do not speak TLS: the error says so, and nobody waits.
func TestTLSGarbage(t *testing.T) {
	for name, text := range map[string]string{
		"HTTP":    "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"zeros":   strings.Repeat("\x00", 100),
		"SSLv2":   "\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10",
		"pattern": string(testutil.Pattern(9, 1000)),
	} {
		t.Run(name, func(t *testing.T) {
			a, b := socketPair(t)
			_, forServer := configs(t)
			server := network.TLSServer(b, forServer)
			inTasks(t, sends(a, text), func(ctx context.Context) error {
				defer server.Close()
				err := server.Handshake(ctx)
				wantOp(t, err, "handshake", server)
				header, ok := errors.AsType[tls.RecordHeaderError](err)
				if !ok || string(header.RecordHeader[:]) != text[:5] || header.Conn != nil {
					t.Errorf("%#v", err)
				}
				return nil
			})
			a, b = socketPair(t)
			forClient, _ := configs(t)
			client := network.TLSClient(b, forClient)
			inTasks(t, sends(a, text), func(ctx context.Context) error {
				defer client.Close()
				_, err := client.SendAll(ctx, []byte("secret"))
				if _, ok := errors.AsType[tls.RecordHeaderError](err); !ok {
					t.Errorf("%#v", err)
				}
				return nil
			})
		})
	}
}

// Peers that say nothing, or a byte now and then, run into the timeout of the handshake.
func TestTLSHandshakeTimeout(t *testing.T) {
	for name, peer := range map[string]func(conn network.Conn) func(ctx context.Context) error{
		"silent": func(network.Conn) func(ctx context.Context) error {
			return func(context.Context) error { return nil }
		},
		"slow": func(conn network.Conn) func(ctx context.Context) error {
			return func(ctx context.Context) error {
				for _, x := range []byte("\x16\x03\x01\x02\x00\x01" + strings.Repeat("x", 200)) {
					if _, err := conn.SendAll(ctx, []byte{x}); err != nil {
						return nil
					}
					if err := curio.Sleep(ctx, time.Millisecond); err != nil {
						return err
					}
				}
				return nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			testutil.NoLeaks(t)
			a, b := socketPair(t)
			_, forServer := configs(t)
			server := network.TLSServer(b, forServer)
			inTasks(t, peer(a), func(ctx context.Context) error {
				err := curio.TimeoutAfter(ctx, short, server.Handshake)
				wantOp(t, err, "handshake", server)
				is(t, err, taskTimeout...)
				if e, ok := err.(net.Error); !ok || !e.Timeout() {
					t.Errorf("%v is not a timeout", err)
				}
				return server.Close()
			})
		})
	}
}

// The other side goes away in the middle of the handshake.
func TestTLSHandshakeTruncated(t *testing.T) {
	for _, text := range []string{"", "\x16", "\x16\x03\x01\x02\x00", "\x16\x03\x01\x02\x00\x01\x00"} {
		a, b := socketPair(t)
		_, forServer := configs(t)
		server := network.TLSServer(b, forServer)
		inTasks(t, sendsThenEnds(a, []byte(text)), func(ctx context.Context) error {
			err := server.Handshake(ctx)
			wantOp(t, err, "handshake", server)
			is(t, err) // neither io.EOF nor any other
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%v", err)
			}
			return nil
		})
	}
}

// Both directions are ended one after the other, and what comes after that.
func TestTLSHalfClose(t *testing.T) {
	for _, version := range bothVersions {
		client, server, _ := cutPair(t, version)
		data := testutil.Pattern(10, 100_000)
		inTasks(t, func(ctx context.Context) error {
			if err := sendsThenEnds(client, []byte("question"))(ctx); err != nil {
				return err
			}
			return receivesAll(client, data)(ctx)
		}, func(ctx context.Context) error {
			if err := receivesAll(server, []byte("question"))(ctx); err != nil {
				return err
			}
			return sendsThenEnds(server, data)(ctx)
		})
		for _, conn := range []*network.TLSConn{client, server} {
			for range 2 {
				if n, err := conn.Recv(t.Context(), make([]byte, 9)); n != 0 || err != io.EOF {
					t.Errorf("after the end: %d, %v", n, err)
				}
			}
			if err := errors.Join(conn.WaitRead(t.Context()), conn.CloseWrite(t.Context())); err != nil {
				t.Error(err)
			}
			n, err := conn.SendAll(t.Context(), []byte("x"))
			wantOp(t, err, "send", conn)
			if n != 0 || err == nil {
				t.Errorf("sent after the end: %d, %v", n, err)
			}
		}
	}
}

// Close says good-bye, but not if the other side has not received for a long time.
func TestTLSCloseNotify(t *testing.T) {
	client, server := tlsPair(t)
	inTasks(t, func(ctx context.Context) error {
		if _, err := client.SendAll(ctx, []byte("hello")); err != nil {
			return err
		}
		return client.Close()
	}, receivesAll(server, []byte("hello")))

	a, b := socketPair(t)
	if err := socket.SendBufferSize.Set(a, 1<<12); err != nil {
		t.Fatal(err)
	}
	client, server = tlsOver(t, a, b)
	inTasks(t, client.Handshake, server.Handshake)
	inTasks(t, func(ctx context.Context) error {
		var n int
		sending := curio.Go(ctx, func(ctx context.Context) (err error) {
			n, err = client.SendAll(ctx, make([]byte, 1<<20))
			return err
		}, curio.ReportCrash(false))
		testutil.Await(t, "wait for room", func() bool { return sending.State() == "WRITE_WAIT" })
		if _, err := sending.Cancel(ctx); err != nil {
			return err
		}
		if err := sending.Err(); !errors.Is(err, curio.ErrTaskCancelled) {
			t.Errorf("sent %d of a megabyte: %v", n, err)
		}
		err := client.Close() // returns an error: the other side misses something
		wantOp(t, err, "close", client)
		if !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("%v", err)
		}
		got, err := recvAll(ctx, server, 1000)
		if !errors.Is(err, io.ErrUnexpectedEOF) || len(got) > n {
			t.Errorf("received %d of %d, %v", len(got), n, err)
		}
		return nil
	})
}

// A record that has been tampered with is the end, and the other side is told.
func TestTLSTampered(t *testing.T) {
	a, b := socketPair(t)
	client, server := tlsOver(t, a, b)
	inTasks(t, client.Handshake, server.Handshake)
	inTasks(t, func(ctx context.Context) error {
		if _, err := a.SendAll(ctx, []byte("\x17\x03\x03\x00\x20"+strings.Repeat("x", 32))); err != nil {
			return err
		}
		_, err := client.Recv(ctx, make([]byte, 10))
		if alert, _ := errors.AsType[tls.AlertError](err); alert != 20 {
			t.Errorf("the client sees %v", err)
		}
		wantOp(t, err, "recv", client)
		return nil
	}, func(ctx context.Context) error {
		for range 2 {
			_, err := server.Recv(ctx, make([]byte, 10))
			wantOp(t, err, "recv", server)
			if alert, _ := errors.AsType[tls.AlertError](err); alert != 20 || !strings.Contains(err.Error(), "local error: tls: bad record MAC") {
				t.Errorf("the server sees %v", err)
			}
		}
		wantOp(t, server.WaitRead(ctx), "wait", server)
		return nil
	})
}

// WaitRead loses nothing of what comes in records of any size, and says the truth.
func TestTLSWaitReadEcho(t *testing.T) {
	for _, size := range []int{1, 2, 100, 16 << 10} {
		a, b := socketPair(t)
		forClient, forServer := configs(t)
		forClient.DynamicRecordSizingDisabled, forServer.DynamicRecordSizingDisabled = true, true
		client, server := network.TLSClient(a, forClient), network.TLSServer(b, forServer)
		message := testutil.Pattern(size, size)
		const times = 50
		inTasks(t, func(ctx context.Context) error {
			buf := make([]byte, 2*size)
			for range times {
				if err := errors.Join(server.WaitRead(ctx), server.WaitRead(ctx)); err != nil {
					return err
				}
				n, err := server.Recv(ctx, buf)
				if err != nil {
					return err
				}
				if err := same(buf[:n], message); err != nil { // at once: it is one record
					return err
				}
				if _, err := server.SendAll(ctx, buf[:n]); err != nil {
					return err
				}
			}
			if err := server.WaitRead(ctx); err != nil {
				return err
			}
			return receivesAll(server, nil)(ctx)
		}, func(ctx context.Context) error {
			buf := make([]byte, size)
			for range times {
				if _, err := client.SendAll(ctx, message); err != nil {
					return err
				}
				for n := 0; n < size; {
					if err := client.WaitRead(ctx); err != nil {
						return err
					}
					k, err := client.Recv(ctx, buf[n:min(size, n+3000)])
					n += k
					if err != nil {
						return err
					}
				}
				if err := same(buf, message); err != nil {
					return err
				}
			}
			return client.CloseWrite(ctx)
		})
	}
}

// Whoever waits for something to read is not woken by the session tickets of TLS 1.3.
func TestTLSWaitReadIgnoresTickets(t *testing.T) {
	client, server := tlsPair(t)
	inTasks(t, func(ctx context.Context) error {
		is(t, curio.TimeoutAfter(ctx, short, client.WaitRead), taskTimeout...)
		if _, err := server.SendAll(ctx, []byte("x")); err != nil {
			return err
		}
		buf := make([]byte, 10)
		if err := client.WaitRead(ctx); err != nil {
			return err
		}
		if n, err := client.Recv(ctx, nil); n != 0 || err != nil {
			t.Errorf("an empty buffer: %d, %v", n, err)
		}
		n, err := client.Recv(ctx, buf[:1])
		if string(buf[:n]) != "x" {
			t.Errorf("received %q", buf[:n])
		}
		return err
	})
}

// Package crypto/tls on package net, on either side.
func TestTLSWithPackageNet(t *testing.T) {
	for _, version := range bothVersions {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			forClient, forServer := configs(t)
			forClient.MaxVersion = version
			there, back := testutil.Pattern(11, 300_000), testutil.Pattern(12, 300_000)
			listener, err := tls.Listen("tcp", "127.0.0.1:0", forServer)
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			var peer sync.WaitGroup
			peer.Go(func() {
				conn, err := listener.Accept()
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				talkNet(t, conn.(*tls.Conn), back, there)
			})
			inTasks(t, func(ctx context.Context) error {
				conn, err := network.OpenConnection(ctx, listener.Addr().String(), nil)
				if err != nil {
					return err
				}
				client := network.TLSClient(conn, forClient)
				defer client.Close()
				return together(ctx, sendsThenEnds(client, there), receivesAll(client, back))
			})
			peer.Wait()

			s := serve(t, func(ctx context.Context, conn network.Conn) error {
				server := network.TLSServer(conn, forServer)
				defer server.Close()
				return together(ctx, sendsThenEnds(server, there), receivesAll(server, back))
			})
			conn, err := tls.Dial("tcp", s.Addr, forClient)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			talkNet(t, conn, back, there)
			testutil.Await(t, "end of the handler", func() bool { return s.handlers() == 0 })
			is(t, s.cancel(), taskCancelled...)
		})
	}
}

// talkNet sends and receives at the same time.
func talkNet(t *testing.T, conn *tls.Conn, send, want []byte) {
	var sender sync.WaitGroup
	sender.Go(func() {
		if _, err := conn.Write(send); err != nil {
			t.Error(err)
		}
		if err := conn.CloseWrite(); err != nil {
			t.Error(err)
		}
	})
	got, err := io.ReadAll(conn)
	if err := errors.Join(err, same(got, want)); err != nil {
		t.Error(err)
	}
	sender.Wait()
}

// A preamble is a Conn that has something to do before TLS.
type preamble struct {
	network.Conn
	err   error
	calls int
}

func (p *preamble) Handshake(context.Context) error {
	p.calls++
	return p.err
}

// The handshake of the connection below comes first, and if it fails there is no TLS.
func TestTLSHandshakeBelow(t *testing.T) {
	a, b := socketPair(t)
	below := &preamble{Conn: b}
	client, server := tlsOver(t, a, below)
	inTasks(t, client.Handshake, server.Handshake, server.WaitRead, sendsThenEnds(client, []byte("x")))
	if below.calls != 1 {
		t.Errorf("the connection below has shaken hands %d times", below.calls)
	}

	a, b = socketPair(t)
	nonsense := errors.New("nonsense")
	below = &preamble{Conn: b, err: &net.OpError{Op: "preamble", Err: nonsense}}
	_, server = tlsOver(t, a, below)
	for range 2 {
		err := server.Handshake(t.Context())
		wantOp(t, err, "handshake", server)
		if !errors.Is(err, nonsense) {
			t.Error(err)
		}
	}
	if below.calls != 1 {
		t.Errorf("what failed was tried %d times", below.calls)
	}
}
