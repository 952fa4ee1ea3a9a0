package channel

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/wait"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/stream"
)

// Server makes a [Conn] from t, a network.Conn or any other stream, on the listener's side, and
// takes ownership of t: close the Conn, not t. If t carries TLS, Server does the TLS handshake.
// With a Config.Key, it then authenticates both sides, beginning with a challenge; the peer uses
// [Client]. Without either, it sends nothing. A nil config means the default.
//
// If ctx is done first, the error wraps ctx's error. It wraps network.ErrHandshakeTimeout if the
// handshake takes longer than Config.HandshakeTimeout, and [ErrRefused] if the peer does not have
// the key. After any error, t has been closed. Server ignores Config.Check, Config.Server and
// Config.Client.
//
// Server panics if t is nil or moves messages, as a datagram socket does. A task that waits is in
// the state READ_WAIT or WRITE_WAIT.
func Server(ctx context.Context, t stream.Transport, config *Config) (*Conn, error) {
	return open(ctx, t, config, (*authenticator).serve)
}

// Client makes a [Conn] from t, on the connecting side, as [Server] does on the listener's side: it
// waits for the challenge. Without a Config.Key the two are the same. Cancellation and errors are
// as for Server.
func Client(ctx context.Context, t stream.Transport, config *Config) (*Conn, error) {
	return open(ctx, t, config, (*authenticator).connect)
}

// Streams joins two streams, one for each direction, into a transport for [Server] and [Client],
// for example the standard streams of a program. The Conn then owns both. Data in the buffer of in
// is received first. in and out may be the same stream. Streams panics if one of them is nil.
//
//	p, err := subprocess.Popen(ctx, cmd)
//	conn, err := channel.Client(ctx, channel.Streams(p.Stdout, p.Stdin), nil)
func Streams(in, out *stream.Stream) stream.Transport {
	if in == nil || out == nil {
		panic("channel: Streams of a nil *stream.Stream")
	}
	return &pair{in, out}
}

// A pair is what Streams returns.
type pair struct{ in, out *stream.Stream }

func (p *pair) Recv(ctx context.Context, buf []byte) (int, error)    { return p.in.Read(ctx, buf) }
func (p *pair) SendAll(ctx context.Context, buf []byte) (int, error) { return p.out.Write(ctx, buf) }
func (p *pair) LocalAddr() net.Addr                                  { return p.in.LocalAddr() }
func (p *pair) RemoteAddr() net.Addr                                 { return p.out.RemoteAddr() }
func (p *pair) String() string                                       { return p.in.String() + " and " + p.out.String() }

func (p *pair) Close() error {
	err := p.in.Close()
	if p.out != p.in {
		err = errors.Join(err, p.out.Close())
	}
	return err
}

// newConn returns a connection over t, before any handshake.
func newConn(t stream.Transport, config *Config) *Conn {
	c := &Conn{transport: t, codec: config.Codec, most: config.most(), keyless: config.Key == nil}
	if p, ok := t.(*pair); ok {
		c.in, c.out = p.in, p.out
		c.out.SetWriteBuffer(0) // a message that has been sent must not wait for the next one
		return c
	}
	c.in = stream.New(t)
	c.out = c.in
	return c
}

// A handshake is one side of it.
type handshake func(a *authenticator, ctx context.Context, f frames) error

// open makes a connection of t, or closes t.
func open(ctx context.Context, t stream.Transport, config *Config, shake handshake) (*Conn, error) {
	config = config.orDefault()
	c := newConn(t, config)
	opened := false
	defer func() {
		if !opened { // even after a panic of the transport
			_ = c.close(nil)
		}
	}()
	_, err := wait.At(ctx)
	if err == nil {
		err = config.refuse()
	}
	if err == nil {
		err = c.shake(ctx, config, shake)
	}
	if err != nil {
		return nil, opError("handshake", c.in, c.out, err)
	}
	opened = true
	return c, nil
}

// A handshaker is a transport that has to agree on something with its peer first, as TLS has.
type handshaker interface {
	Handshake(ctx context.Context) error
}

// shake does the handshakes of c, within the time that there is for it.
func (c *Conn) shake(ctx context.Context, config *Config, shake handshake) error {
	return within(ctx, config.patience(), func(ctx context.Context) error {
		if below, ok := c.transport.(handshaker); ok {
			if err := below.Handshake(ctx); err != nil {
				return err
			}
		}
		if c.keyless {
			return nil
		}
		a, err := newAuthenticator(config.Key, config.RefuseMD5)
		if err != nil {
			return err
		}
		return shake(a, ctx, c)
	})
}

// within calls fn with a context that ends after limit, if that is not 0. If the limit cuts fn short, the error
// is network.ErrHandshakeTimeout, as the timeout inside means nothing to the caller. If ctx cuts it short, the
// error is the same as without a limit.
func within(ctx context.Context, limit time.Duration, fn func(ctx context.Context) error) error {
	if limit == 0 {
		return fn(ctx)
	}
	bound, cancel := curio.WithTimeout(ctx, limit)
	err := fn(bound)
	over := err != nil && bound.Err() != nil
	cancel()
	if !over || !errors.Is(err, curio.ErrCancelled) {
		return err
	}
	_, why := wait.At(ctx)
	if why == nil {
		why = lateError(limit)
	}
	if s, ok := errors.AsType[*stepError](err); ok {
		return &stepError{s.step, why}
	}
	return why
}

// A lateError says that a handshake was not done within the time that is its value.
type lateError time.Duration

func (e lateError) Error() string { return "not done within " + time.Duration(e).String() }
func (e lateError) Timeout() bool { return true }
func (e lateError) Unwrap() error { return network.ErrHandshakeTimeout }
