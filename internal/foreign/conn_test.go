package foreign_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/curio-go/curio/internal/foreign"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/internal/wait"
)

// What a SendAll that is cancelled says it has sent is what the other side reads; and what
// is sent after that comes after that, but for TLS.
func TestSendingCancelled(t *testing.T) {
	data := make([]byte, 64<<20)
	for i := range data {
		data[i] = byte(i ^ i>>8 ^ i>>16)
	}
	each(t, func(t *testing.T, a *foreign.Conn, b net.Conn) {
		n := 0
		o, join := in(t, func(ctx context.Context) (err error) {
			n, err = a.SendAll(ctx, data)
			return err
		})
		awaitParked(t, o)
		read := make([]byte, 1000)
		_, err := io.ReadFull(b, read)
		check(t, err)
		cancel(o)
		want(t, join(), wait.ErrTaskCancelled)
		_, isTLS := a.NetConn().(*tls.Conn)
		_, joinSend := in(t, func(ctx context.Context) error {
			_, err := a.SendAll(ctx, []byte("after"))
			if isTLS {
				if err == nil {
					return errors.New("it goes on, which is more than crypto/tls promises")
				}
				err = nil
			}
			return errors.Join(err, a.Close())
		})
		rest, err := io.ReadAll(b)
		if !isTLS {
			check(t, err)
		}
		check(t, joinSend())
		read = append(read, rest...)
		wanted := append(slices.Clone(data[:n]), "after"...)
		if isTLS {
			wanted = data[:n]
		}
		if n == 0 || n == len(data) || !slices.Equal(read, wanted) {
			t.Errorf("%d sent, %d read", n, len(read))
		}
	})
}

// Receiving that is cancelled in the moment in which something arrives: each byte arrives
// once, and no operation is ended by a deadline that was meant for another one.
func TestReceiveRaces(t *testing.T) {
	rounds := testutil.Times(2000)
	each(t, func(t *testing.T, a *foreign.Conn, b net.Conn) {
		_, join := in(t, func(context.Context) error {
			for i := range rounds {
				if _, err := b.Write([]byte{byte(i), byte(i >> 8)}); err != nil {
					return err
				}
			}
			return nil
		})
		var all []byte
		cancelled := 0
		for len(all) < 2*rounds {
			buf := make([]byte, 1+rand.IntN(5))
			n := 0
			o, joinRecv := in(t, func(ctx context.Context) (err error) {
				if rand.IntN(3) == 0 {
					return a.WaitRead(ctx)
				}
				n, err = a.Recv(ctx, buf)
				return err
			})
			for range rand.IntN(8) {
				runtime.Gosched()
			}
			cancel(o)
			if err := joinRecv(); err != nil {
				want(t, err, wait.ErrTaskCancelled)
				cancelled++
			}
			all = append(all, buf[:n]...)
			if cancelled%8 == 7 && len(all) < 2*rounds { // an ordinary one works at once
				n, err := a.Recv(background, buf)
				check(t, err)
				all = append(all, buf[:n]...)
			}
		}
		check(t, join())
		for i := range rounds {
			if all[2*i] != byte(i) || all[2*i+1] != byte(i>>8) {
				t.Fatalf("message %d is another one", i)
			}
		}
		if cancelled == 0 {
			t.Error("none was cancelled, which tests nothing")
		}
	})
}

// The deadline is set late, when the operation has returned by itself: that waits until it
// is, and takes it back.
func TestLateDeadline(t *testing.T) {
	a, b := net.Pipe()
	defer b.Close()
	f := foreign.New(a)
	defer f.Close()
	claimed, goOn := make(chan struct{}), make(chan struct{})
	foreign.SetInterrupting(t, func() { close(claimed); <-goOn })
	n := 0
	o, join := in(t, func(ctx context.Context) (err error) {
		n, err = f.Recv(ctx, make([]byte, 10))
		return err
	})
	awaitParked(t, o)
	go cancel(o)
	<-claimed
	_, err := b.Write([]byte("in time")) // and the operation returns with it
	check(t, err)
	close(goOn)
	check(t, join())
	if n != 7 {
		t.Errorf("%d bytes", n)
	}
	exchange(t, f, b)
}

// Those who receive take turns, and who is cancelled in the queue leaves it. Close ends
// them all.
func TestTurns(t *testing.T) {
	each(t, func(t *testing.T, a *foreign.Conn, _ net.Conn) {
		recv := func(ctx context.Context) error { return received(a.Recv(ctx, make([]byte, 10))) }
		var joins []func() error
		var tasks []*wait.Owner
		for i := range 3 {
			o, join := in(t, recv)
			testutil.Await(t, "a wait", func() bool {
				p, ok := o.Parked()
				return ok && p.Op == []string{"READ_WAIT", "READ_TURN", "READ_TURN"}[i]
			})
			tasks, joins = append(tasks, o), append(joins, join)
		}
		cancel(tasks[1])
		want(t, joins[1](), wait.ErrTaskCancelled)
		check(t, a.Close())
		want(t, joins[0](), net.ErrClosed)
		want(t, joins[2](), net.ErrClosed)
		for _, err := range []error{a.Close(), a.WaitRead(background), a.CloseWrite(background), recv(background)} {
			want(t, err, net.ErrClosed)
		}
		n, err := a.SendAll(background, []byte("x"))
		want(t, received(n, err), net.ErrClosed)
		n, err = a.Recv(background, nil)
		want(t, received(n, err), net.ErrClosed)
	})
}

// The end comes after what was sent, also through WaitRead, and CloseWrite makes it.
func TestEnd(t *testing.T) {
	each(t, func(t *testing.T, a *foreign.Conn, b net.Conn) {
		_, join := in(t, func(context.Context) error {
			_, err := b.Write([]byte("x"))
			if half, ok := b.(interface{ CloseWrite() error }); ok {
				return errors.Join(err, half.CloseWrite())
			}
			return errors.Join(err, b.Close())
		})
		buf := make([]byte, 10)
		check(t, a.WaitRead(background))
		check(t, a.WaitRead(background))
		n, err := a.Recv(background, buf)
		check(t, received(n-1, err))
		for range 3 {
			check(t, a.WaitRead(background))
			if n, err := a.Recv(background, buf); n != 0 || err != io.EOF {
				t.Errorf("%d, %v", n, err)
			}
		}
		check(t, join())
		if _, ok := a.NetConn().(interface{ CloseWrite() error }); !ok {
			want(t, a.CloseWrite(background), errors.ErrUnsupported)
			return
		}
		check(t, a.CloseWrite(background))
		if n, err := b.Read(buf); n != 0 || err != io.EOF {
			t.Errorf("%d, %v", n, err)
		}
	})
}

// A handshake is done by whoever comes first, and can be cancelled, as can be waiting for
// it: also from the side of who sends, which then waits to receive.
func TestHandshakeCancelled(t *testing.T) {
	testutil.NoLeaks(t)
	inner, b := dial(t, "tcp", "127.0.0.1:0")
	defer b.Close()
	client, _ := secure(t, inner, b)
	a := foreign.New(client)
	defer a.Close()
	sends, joinSend := in(t, func(ctx context.Context) error {
		n, err := a.SendAll(ctx, []byte("x"))
		return received(n, err)
	})
	testutil.Await(t, "a handshake", func() bool { p, ok := sends.Parked(); return ok && p.Op == "HANDSHAKE_WAIT" })
	receives, joinRecv := in(t, a.WaitRead)
	awaitParked(t, receives)
	cancel(receives)
	want(t, joinRecv(), wait.ErrTaskCancelled)
	cancel(sends)
	want(t, joinSend(), wait.ErrTaskCancelled)
	if err := a.Handshake(background); err == nil || errors.Is(err, wait.ErrCancelled) {
		t.Errorf("%v", err)
	}
}

// A deadline of somebody else's ends an operation with what package net says.
func TestOthersDeadline(t *testing.T) {
	a, b := net.Pipe()
	defer b.Close()
	f := foreign.New(a)
	defer f.Close()
	check(t, a.SetDeadline(time.Unix(1, 0)))
	for _, err := range []error{
		received(f.Recv(background, make([]byte, 1))),
		f.WaitRead(background),
		received(f.SendAll(background, []byte("x"))),
	} {
		want(t, err, os.ErrDeadlineExceeded)
		if errors.Is(err, wait.ErrCancelled) {
			t.Errorf("%v", err)
		}
	}
	check(t, a.SetDeadline(time.Time{}))
	exchange(t, f, b)
}

// An odd net.Conn returns data and an error at once, and sometimes nothing at all.
type odd struct {
	net.Conn
	reads []func(p []byte) (int, error)
}

func (o *odd) Read(p []byte) (int, error) {
	if len(o.reads) == 0 {
		return 0, nil
	}
	read := o.reads[0]
	o.reads = o.reads[1:]
	return read(p)
}

func TestOddConn(t *testing.T) {
	a, b := net.Pipe()
	defer b.Close()
	broken := errors.New("broken")
	f := foreign.New(&odd{a, []func(p []byte) (int, error){
		func([]byte) (int, error) { return 0, nil },
		func(p []byte) (int, error) { return copy(p, "ab"), broken },
		func(p []byte) (int, error) { return copy(p, "cd"), io.EOF },
		func([]byte) (int, error) { panic("cannot read") },
	}})
	defer f.Close()
	buf := make([]byte, 2)
	n, err := f.Recv(background, buf)
	check(t, received(n-2, err))
	want(t, received(f.Recv(background, buf)), broken)
	check(t, f.WaitRead(background))
	n, err = f.Recv(background, buf)
	check(t, received(n-2, err))
	if n, err = f.Recv(background, buf); n != 0 || err != io.EOF {
		t.Errorf("%d, %v", n, err)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic got lost")
			}
		}()
		_, _ = f.Recv(background, buf)
	}()
	want(t, received(f.Recv(background, buf)), io.ErrNoProgress) // and the turn is free
}

func TestNil(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("it does not panic")
		}
	}()
	foreign.New(nil)
}

// A shaker is a net.Conn with a handshake that lasts until it is let go on.
type shaker struct {
	net.Conn
	goOn chan struct{}
}

func (s *shaker) HandshakeContext(context.Context) error { <-s.goOn; return nil }

// A handshake that completes although it has been cancelled lets nobody go on before its
// deadline has been taken back: that would end their operations.
func TestLateDeadlineOfAHandshake(t *testing.T) {
	a, b := net.Pipe()
	defer b.Close()
	s := &shaker{a, make(chan struct{})}
	f := foreign.New(s)
	defer f.Close()
	claimed, goOn := make(chan struct{}), make(chan struct{})
	foreign.SetInterrupting(t, func() { close(claimed); <-goOn })
	first, joinFirst := in(t, f.Handshake)
	awaitParked(t, first)
	go cancel(first)
	<-claimed
	close(s.goOn)
	second, joinSecond := in(t, func(ctx context.Context) error {
		n, err := f.Recv(ctx, make([]byte, 10))
		return received(n-2, err)
	})
	testutil.Await(t, "the turn", func() bool { p, ok := second.Parked(); return ok && p.Op == "HANDSHAKE_TURN" })
	close(goOn)
	check(t, joinFirst())
	_, err := b.Write([]byte("ok"))
	check(t, err)
	check(t, joinSecond())
	exchange(t, f, b)
}
