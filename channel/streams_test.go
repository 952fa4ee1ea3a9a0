package channel_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"testing"

	"github.com/curio-go/curio/channel"
	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/stream"
	"github.com/curio-go/curio/subprocess"
)

// upperMain answers each message on its standard streams.
func upperMain() {
	in, err := stream.FromFile(os.Stdin)
	if err == nil {
		var out *stream.Stream
		if out, err = stream.FromFile(os.Stdout); err == nil {
			err = upper(background, channel.Streams(in, out))
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func upper(ctx context.Context, t stream.Transport) error {
	c, err := channel.Server(ctx, t, withKey)
	if err != nil {
		return err
	}
	defer c.Close()
	for {
		var n int
		err := c.Recv(ctx, &n)
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = c.Send(ctx, n+1)
		}
		if err != nil {
			return err
		}
	}
}

// self is this test binary as a child, with its standard streams as pipes.
func self(t testing.TB, args ...string) *subprocess.Cmd {
	t.Helper()
	program, err := os.Executable()
	check(t, err)
	lifeline, ours, err := os.Pipe()
	check(t, err)
	t.Cleanup(func() { lifeline.Close(); ours.Close() })
	cmd := subprocess.Command(program, args...)
	cmd.Env = append(os.Environ(), "CURIO_TEST_CHILD=1", "GORACE="+os.Getenv("GORACE")+" atexit_sleep_ms=0")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = subprocess.Pipe, subprocess.Pipe, subprocess.Inherit
	cmd.ExtraFiles = []*os.File{lifeline}
	return cmd
}

// behaviours H7: the two pipes of a process.
func TestSubprocess(t *testing.T) {
	ctx := curiotest.NoLeaks(t)
	p, err := subprocess.Popen(ctx, self(t, "upper"))
	check(t, err)
	defer p.Close()
	c, err := channel.Client(ctx, channel.Streams(p.Stdout, p.Stdin), withKey)
	check(t, err)
	for n := range 10 {
		check(t, c.Send(ctx, n))
		var m int
		check(t, c.Recv(ctx, &m))
		if m != n+1 {
			t.Errorf("%d, want %d", m, n+1)
		}
	}
	check(t, c.CloseWrite(ctx))
	if err := c.Recv(ctx, new(int)); err != io.EOF {
		t.Error(err)
	}
	check(t, c.Close())
	status, err := p.Wait(ctx)
	if err != nil || !status.Success() {
		t.Errorf("%v, %v", status, err)
	}
}

// Over a net.Conn of another package, and over one stream, of which a line has been read before.
func TestAfterALine(t *testing.T) {
	x, y := net.Pipe()
	sx, sy := stream.FromConn(x), stream.FromConn(y)
	_, join := in(t, func(ctx context.Context) error {
		if _, err := sx.WriteString(ctx, "hello\n"+frame("first")); err != nil {
			return err
		}
		return sx.CloseContext(ctx)
	})
	line, err := sy.ReadLine(background)
	got(t, []byte(line), err, "hello\n")
	c := over(t, channel.Streams(sy, sy), nil)
	m, err := c.RecvBytes(background)
	got(t, m, err, "first")
	if _, err := c.RecvBytes(background); err != io.EOF {
		t.Error(err)
	}
	check(t, join())

	x, y = net.Pipe()
	a, b := over(t, network.FromConn(x), nil), over(t, network.FromConn(y), nil)
	_, join = in(t, func(ctx context.Context) error { return a.SendBytes(ctx, []byte("hello")) })
	m, err = b.RecvBytes(background)
	got(t, m, err, "hello")
	check(t, join())
}

// What a stream would collect is sent at once, and what it has collected before.
func TestStreamsWithWriteBuffer(t *testing.T) {
	r, w := pipe(t)
	w.SetWriteBuffer(1 << 10)
	_, err := w.WriteString(background, frame("before"))
	check(t, err)
	c := over(t, channel.Streams(r, w), nil)
	check(t, c.SendBytes(background, []byte("after")))
	for _, message := range []string{"before", "after"} {
		m, err := c.RecvBytes(background)
		got(t, m, err, message)
	}
}

// Streams have an order in which they are closed, and both are.
func TestStreamsAreClosed(t *testing.T) {
	testutil.NoLeaks(t)
	a, b := pipes(t)
	_, join := in(t, func(ctx context.Context) error { _, err := a.RecvBytes(ctx); return err })
	check(t, a.Close())
	want(t, join(), net.ErrClosed)
	if _, err := b.RecvBytes(background); err != io.EOF {
		t.Error(err)
	}
	if err := b.SendBytes(background, nil); err == nil || errors.Is(err, net.ErrClosed) {
		t.Errorf("nobody reads: %v", err)
	}
	check(t, b.Close())
}

func TestMisuse(t *testing.T) {
	for name, misuse := range map[string]func(){
		"nil transport": func() { _, _ = channel.Server(background, nil, nil) },
		"nil stream":    func() { channel.Streams(nil, nil) },
		"nil listener":  func() { _, _ = channel.NewListener(background, nil, nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s does not panic", name)
				}
			}()
			misuse()
		}()
	}
}

// traps 90: what comes together with the last frame of the handshake is the first message.
func TestMessageBehindHandshake(t *testing.T) {
	a, b := socketPair(t)
	_, join := in(t, func(context.Context) error {
		put(t, b, frame(challenge+"{sha256}"+up(40)))
		exactly(t, b, 4+len("{sha256}")+32)
		put(t, b, frame(welcome))
		asked := exactly(t, b, 4+len(challenge)+len("{sha256}")+40)
		answer := "{sha256}" + mac(sha256.New, secret, string(asked[4+len(challenge):]))
		put(t, b, frame(answer)+frame("early")+frame("la"))
		return nil
	})
	c, err := channel.Client(background, a, withKey)
	check(t, err)
	check(t, join())
	defer c.Close()
	for _, message := range []string{"early", "la"} {
		m, err := c.RecvBytes(background)
		got(t, m, err, message)
	}
}
