package network_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/network/proxyproto"
	"github.com/curio-go/curio/socket"
	"github.com/curio-go/curio/stream"
)

// On every kind of listener, the level and the text of the log line show whether the server
// or the peer caused the end of a connection.

var (
	errOwn   = errors.New("the handler's own error")
	errFlush = errors.New("the handler's clean-up has failed")
)

// blamed are the kinds of listeners that the table is for.
var blamed = append(kinds, kind{name: "FromListener and TLS", foreign: true, tls: true}, kind{name: "FromListener", foreign: true})

// A blameCase is one way in which a connection ends.
type blameCase struct {
	name    string
	only    func(k kind) bool // nil: on all kinds
	config  network.ServerConfig
	tls     func(config *tls.Config) // changes it, if not nil
	handler network.Handler
	early   func(t *testing.T, raw net.Conn) // what the client does instead of its part of the handshake
	then    func(t *testing.T, raw net.Conn) // what the client does once the handler has been called
	stop    bool                             // then the server is cancelled

	message string // "" for none
	level   slog.Level
	is      []error
	says    string
	also    string // another message
}

func recv(ctx context.Context, conn network.Conn) error {
	_, err := conn.Recv(ctx, make([]byte, 1))
	return err
}

// untold sends something that the client does not read. So a client that closes a Unix
// connection resets it, as with TCP.
func untold(ctx context.Context, conn network.Conn) error {
	if _, err := conn.SendAll(ctx, []byte("+")); err != nil {
		return err
	}
	return recv(ctx, conn)
}

func resets(_ *testing.T, raw net.Conn) { vanish(raw) }

func says(text string) func(*testing.T, net.Conn) {
	return func(t *testing.T, raw net.Conn) { writeAll(t, raw, text) }
}

func isTLS(k kind) bool   { return k.tls }
func isProxy(k kind) bool { return k.proxy }

// lostBackend returns the error of another connection, which its peer has reset.
func lostBackend(ctx context.Context) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	conn, err := network.OpenConnection(ctx, l.Addr().String(), nil)
	if err != nil {
		return err
	}
	defer conn.Close()
	other, err := l.Accept()
	if err != nil {
		return err
	}
	vanish(other)
	return recv(ctx, conn)
}

// brokenPair returns the error of a socket pair, which has no addresses.
func brokenPair(ctx context.Context) error {
	a, b, err := socket.SocketPair(socket.SOCK_STREAM)
	if err != nil {
		return err
	}
	defer a.Close()
	b.Close()
	_, err = a.SendAll(ctx, []byte("x"))
	return err
}

const (
	debug = slog.LevelDebug
	warn  = slog.LevelWarn
	fault = slog.LevelError
)

var grace = network.ServerConfig{Grace: testutil.Patience}

var blameCases = []blameCase{
	// The handler's own errors.
	{
		name: "its error", handler: func(context.Context, network.Conn) error { return errOwn },
		message: msgFailed, level: fault, is: []error{errOwn},
	},
	{
		name: "its error wrapped", handler: func(context.Context, network.Conn) error { return fmt.Errorf("x: %w", errOwn) },
		message: msgFailed, level: fault, is: []error{errOwn},
	},
	{
		name: "its panic", handler: func(context.Context, network.Conn) error { panic(errOwn) },
		message: "handler panicked", level: fault, is: []error{errOwn},
	},
	{
		name: "an error that panics", handler: func(context.Context, network.Conn) error { return (*brokenError)(nil) },
		message: msgFailed, level: fault,
	},
	{name: "its error and the peer's", then: resets, handler: func(ctx context.Context, conn network.Conn) error {
		return errors.Join(untold(ctx, conn), errFlush)
	}, message: msgFailed, level: fault, is: []error{errFlush}},
	{
		name: "the loss of another connection", handler: func(ctx context.Context, _ network.Conn) error { return lostBackend(ctx) },
		message: msgFailed, level: fault, is: []error{syscall.ECONNRESET},
	},
	{
		name: "the loss of a pair", handler: func(ctx context.Context, _ network.Conn) error { return brokenPair(ctx) },
		message: msgFailed, level: fault, is: []error{syscall.EPIPE},
	},
	{name: "the end of another's answer", handler: func(context.Context, network.Conn) error {
		return &url.Error{Op: "Get", URL: "http://backend/", Err: io.EOF}
	}, message: msgFailed, level: fault, is: []error{io.EOF}},
	{name: "a timeout of its own", handler: func(ctx context.Context, conn network.Conn) error {
		return curio.TimeoutAfter(ctx, short, func(ctx context.Context) error { return recv(ctx, conn) })
	}, message: msgFailed, level: fault, is: []error{curio.ErrTaskTimeout}},
	{name: "a cancellation of its own", handler: func(ctx context.Context, conn network.Conn) error {
		task := curio.Go(ctx, func(ctx context.Context) error { return curio.Sleep(ctx, time.Hour) })
		if _, err := task.Cancel(ctx); err != nil {
			return err
		}
		_, err := task.Join(ctx)
		return err
	}, message: msgFailed, level: fault, is: []error{curio.ErrTaskCancelled}},

	// The peer's doing.
	{name: "EOF", then: func(_ *testing.T, raw net.Conn) { raw.Close() }, handler: recv, message: msgLost, level: debug},
	{name: "unexpected EOF", handler: func(context.Context, network.Conn) error {
		return fmt.Errorf("reading the header: %w", io.ErrUnexpectedEOF)
	}, message: msgLost, level: debug},
	{name: "reset while reading", then: resets, handler: untold, message: msgLost, level: debug},
	{name: "reset while writing", then: resets, handler: func(ctx context.Context, conn network.Conn) error {
		for block := make([]byte, 64<<10); ; {
			if _, err := conn.SendAll(ctx, block); err != nil {
				return err
			}
		}
	}, message: msgLost, level: debug},
	{name: "half-close after a reset", then: resets, handler: func(ctx context.Context, conn network.Conn) error {
		err := untold(ctx, conn)
		return errors.Join(err, conn.CloseWrite(ctx))
	}, message: msgLost, level: debug},
	{name: "a timeout of the network", handler: func(_ context.Context, conn network.Conn) error {
		return &net.OpError{Op: "recv", Source: conn.LocalAddr(), Addr: conn.RemoteAddr(), Err: os.NewSyscallError("read", syscall.ETIMEDOUT)}
	}, message: msgLost, level: debug, is: []error{syscall.ETIMEDOUT}},
	{name: "a line that is too long", then: func(_ *testing.T, raw net.Conn) { raw.Close() }, handler: func(ctx context.Context, conn network.Conn) error {
		s := stream.New(endless{conn})
		_, err := s.ReadLine(ctx)
		return fmt.Errorf("the request: %w", err)
	}, message: msgLost, level: debug, is: []error{stream.ErrLineTooLong}},
	{name: "garbage for TLS", only: isTLS, early: says(strings.Repeat("\xff", 200)), message: msgLost, level: debug},
	{name: "plain HTTP on TLS", only: isTLS, early: says("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), message: msgLost, level: debug},
	{name: "a bad header", only: isProxy, early: says("PROXY TCP4 nonsense\r\n"), message: msgLost, level: debug, is: []error{proxyproto.ErrHeader}},

	// Limits.
	{
		name: "handshake", only: func(k kind) bool { return k.layered() }, config: network.ServerConfig{HandshakeTimeout: short},
		early: func(*testing.T, net.Conn) {}, message: msgLost, level: debug, is: []error{network.ErrHandshakeTimeout, os.ErrDeadlineExceeded},
	},
	{
		name: "idle", config: network.ServerConfig{IdleTimeout: 5 * short}, handler: recv,
		message: msgLost, level: debug, is: []error{network.ErrIdle, os.ErrDeadlineExceeded}, says: "idle for",
	},
	{
		name: "lifetime", config: network.ServerConfig{Lifetime: 10 * short}, handler: recv,
		message: msgLost, level: debug, is: []error{network.ErrLifetime, os.ErrDeadlineExceeded},
	},
	{name: "lifetime, as ctx.Err()", config: network.ServerConfig{Lifetime: 10 * short}, handler: func(ctx context.Context, _ network.Conn) error {
		<-ctx.Done()
		return fmt.Errorf("query: %w", ctx.Err())
	}, message: msgLost, level: debug},
	{name: "lifetime, further in", config: network.ServerConfig{Lifetime: 10 * short}, handler: func(ctx context.Context, conn network.Conn) error {
		return curio.TimeoutAfter(ctx, time.Hour, func(ctx context.Context) error { return recv(ctx, conn) })
	}, message: msgLost, level: debug},
	{name: "lifetime and its clean-up", config: network.ServerConfig{Lifetime: 10 * short}, handler: func(ctx context.Context, conn network.Conn) error {
		return fmt.Errorf("%w: %w", recv(ctx, conn), errFlush)
	}, message: msgFailed, level: fault, is: []error{errFlush, network.ErrLifetime}},

	// The server's stop.
	{name: "stopped", stop: true, handler: recv},
	{name: "stopped, as ctx.Err()", stop: true, handler: func(ctx context.Context, _ network.Conn) error {
		<-ctx.Done()
		return fmt.Errorf("query: %w", ctx.Err())
	}},
	{name: "stopped, in a group", stop: true, handler: func(ctx context.Context, conn network.Conn) error {
		return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			g.Go(func(ctx context.Context) error { return recv(ctx, conn) })
			return g.Join(ctx)
		})
	}},
	{name: "stopped and its clean-up", stop: true, handler: func(ctx context.Context, conn network.Conn) error {
		return errors.Join(recv(ctx, conn), errFlush)
	}, message: msgFailed, level: fault, is: []error{errFlush}},
	{name: "stopped and a member's clean-up", stop: true, handler: func(ctx context.Context, conn network.Conn) error {
		return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			g.Go(func(ctx context.Context) error { _ = recv(ctx, conn); return errFlush })
			return g.Join(ctx)
		})
	}, message: msgFailed, level: fault, is: []error{errFlush}},
	{name: "stopping", stop: true, config: grace, handler: func(ctx context.Context, conn network.Conn) error {
		idle, cancel := curio.UntilStop(ctx)
		defer cancel()
		return recv(idle, conn)
	}},
	{name: "stopping, as ctx.Err()", stop: true, config: grace, handler: func(ctx context.Context, _ network.Conn) error {
		idle, cancel := curio.UntilStop(ctx)
		defer cancel()
		<-idle.Done()
		return idle.Err()
	}},
	{name: "stopping, by its cause", stop: true, config: grace, handler: func(ctx context.Context, _ network.Conn) error {
		idle, cancel := curio.UntilStop(ctx)
		defer cancel()
		<-idle.Done()
		return context.Cause(idle)
	}},
	{name: "stopping and its clean-up", stop: true, config: grace, handler: func(ctx context.Context, conn network.Conn) error {
		idle, cancel := curio.UntilStop(ctx)
		defer cancel()
		return errors.Join(recv(idle, conn), errFlush)
	}, message: msgFailed, level: fault, is: []error{errFlush, curio.ErrStopping}},
	{name: "too late", stop: true, config: network.ServerConfig{Grace: short}, handler: recv, also: msgGrace},
	{name: "too late and its clean-up", stop: true, config: network.ServerConfig{Grace: short}, handler: func(ctx context.Context, conn network.Conn) error {
		return errors.Join(recv(ctx, conn), errFlush)
	}, message: msgFailed, level: fault, is: []error{errFlush}, also: msgGrace},

	// The server's own faults, before the handler.
	{name: "no certificate", only: isTLS, tls: func(c *tls.Config) {
		c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return new(tls.Config), nil }
	}, early: nil, message: msgShake, level: warn, says: "no certificates configured"},
	{name: "certificates that are empty", only: isTLS, tls: func(c *tls.Config) {
		c.Certificates, c.GetCertificate = nil, new(network.Certificates).GetCertificate
	}, message: msgShake, level: warn, says: "there is no certificate"},
	{name: "a key that does not sign", only: isTLS, tls: func(c *tls.Config) {
		c.Certificates = []tls.Certificate{{Certificate: c.Certificates[0].Certificate, PrivateKey: "none"}}
	}, message: msgShake, level: warn, says: "private key"},
	{name: "certificates that cannot be had", only: isTLS, tls: func(c *tls.Config) {
		c.Certificates, c.GetCertificate = nil, func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			return nil, lostBackend(hello.Context())
		}
	}, message: msgShake, level: warn, is: []error{syscall.ECONNRESET}},
	{name: "certificates that come too late", only: isTLS, tls: func(c *tls.Config) {
		c.Certificates, c.GetCertificate = nil, func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			return nil, curio.TimeoutAfter(hello.Context(), short, func(ctx context.Context) error { return curio.Sleep(ctx, time.Hour) })
		}
	}, message: msgShake, level: warn, is: []error{curio.ErrTaskTimeout}},
}

// An endless is a Conn from which any number of zeros can be received.
type endless struct{ network.Conn }

func (endless) WaitRead(context.Context) error                  { return nil }
func (endless) Recv(_ context.Context, buf []byte) (int, error) { return len(buf), nil }

// A brokenError panics when it is looked at.
type brokenError struct{ error }

func (e *brokenError) Error() string { return "broken" }
func (e *brokenError) Unwrap() error { return e.error }

func TestBlame(t *testing.T) {
	for _, k := range blamed {
		for _, c := range blameCases {
			if c.only != nil && !c.only(k) {
				continue
			}
			t.Run(k.name+"/"+c.name, func(t *testing.T) { c.run(t, k) })
		}
	}
}

// run tries again with more time if the limit of the case, which is for the client of this test too, was
// over before the handler had begun.
func (c *blameCase) run(t *testing.T, k kind) {
	config := c.config
	for !c.attempt(t, k, config) {
		config.Lifetime *= 4
		config.IdleTimeout *= 4
	}
}

func (c *blameCase) attempt(t *testing.T, k kind, config network.ServerConfig) (begun bool) {
	p := k.place(t)
	if c.tls != nil {
		c.tls(p.server)
	}
	handling := new(curio.Event)
	s := p.serve(t, config, func(ctx context.Context, conn network.Conn) error {
		handling.Set()
		return c.handler(ctx, conn)
	})
	raw := p.raw(t, s.Addr)
	switch {
	case c.early != nil:
		c.early(t, raw)
	default:
		conn := p.dress(t, raw)
		if shake, ok := conn.(*tls.Conn); ok {
			_ = shake.Handshake() // it may fail by the server's fault
		}
		if c.handler != nil {
			limited := config.Lifetime > 0 || config.IdleTimeout > 0
			testutil.Await(t, "handler", func() bool {
				over := limited && len(s.Log.Find(msgLost)) > 0
				return handling.IsSet() || over
			})
			if !handling.IsSet() {
				is(t, s.cancel(), taskCancelled...)
				return false
			}
		}
		if c.then != nil {
			c.then(t, raw)
		}
	}
	if c.stop {
		is(t, s.cancel(), taskCancelled...)
	}
	if c.message != "" {
		c.check(t, s, k, raw)
	}
	if c.also != "" {
		s.Log.TakeOne(t, c.also)
	}
	testutil.Await(t, "end of the handler", func() bool { return s.handlers() == 0 })
	if !c.stop {
		is(t, s.cancel(), taskCancelled...)
	}
	if left := s.Log.Find(""); len(left) > 0 {
		t.Errorf("it says %v, too", left)
	}
	return true
}

func (c *blameCase) check(t *testing.T, s *server, k kind, raw net.Conn) {
	t.Helper()
	record := s.Log.TakeOne(t, c.message)
	if record.Level != c.level || strings.Contains(record.Text, "join") || record.Attrs["server"] != s.Addr {
		t.Errorf("%v, want level %v and server=%s", record, c.level, s.Addr)
	}
	peer, _ := record.Attrs["peer"].(string)
	if peer == "" || !k.unix && !k.proxy && peer != raw.LocalAddr().String() {
		t.Errorf("%v does not name the peer", record)
	}
	if why := record.Attrs["why"]; (why != nil) != (c.level == debug) {
		t.Errorf("%v: why=%v", record, why)
	}
	err, _ := record.Attrs["err"].(error)
	if err == nil || !strings.Contains(err.Error(), c.says) {
		t.Errorf("%v, want %q", record, c.says)
	}
	for _, want := range c.is {
		if !errors.Is(err, want) {
			t.Errorf("%v, which is not %v", record, want)
		}
	}
}
