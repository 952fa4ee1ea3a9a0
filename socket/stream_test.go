package socket_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/wait"
	"github.com/curio-go/curio/socket"
)

// echo sends back what s receives, until the end of the stream.
func echo(ctx context.Context, s *socket.Socket) error {
	for buf := make([]byte, 16<<10); ; {
		n, err := s.Recv(ctx, buf)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := s.SendAll(ctx, buf[:n]); err != nil {
			return err
		}
	}
}

// serve accepts one connection and echoes.
func serve(l *socket.Socket) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		s, err := l.Accept(ctx)
		if err != nil {
			return err
		}
		return errors.Join(echo(ctx, s), s.Close())
	}
}

// The order of events of an echo server, its handler and a client.
func TestEcho(t *testing.T) {
	var mu sync.Mutex
	var events []string
	happened := func(what string) { mu.Lock(); events = append(events, what); mu.Unlock() }
	l := listen(t, socket.AF_INET, localhost, 0)
	_, join := in(t, func(ctx context.Context) error {
		happened("accept")
		s, err := l.Accept(ctx)
		if err != nil {
			return err
		}
		happened("accepted")
		err = echo(ctx, s)
		happened("handler ends")
		return errors.Join(err, s.Close())
	})
	await(t, func() bool { mu.Lock(); defer mu.Unlock(); return len(events) == 1 })
	ctx := &newTask(t).Scope
	s := open(t, socket.AF_INET)
	check(t, s.Connect(ctx, l.LocalAddr()))
	buf := make([]byte, 100)
	for _, message := range []string{"hello", "world"} {
		n, err := s.SendAll(ctx, []byte(message))
		check(t, err)
		if n != len(message) {
			t.Errorf("sent %d", n)
		}
		n, err = s.Recv(ctx, buf)
		check(t, err)
		happened(string(buf[:n]))
	}
	check(t, s.Close())
	check(t, join())
	// The client cannot have its answer before the server has accepted.
	if got := joined(events); got != "accept accepted hello world handler ends" {
		t.Errorf("%s", got)
	}
}

func joined(events []string) (text string) {
	for i, e := range events {
		if i > 0 {
			text += " "
		}
		text += e
	}
	return text
}

func TestHalfClose(t *testing.T) {
	a, b := tcpPair(t)
	ctx := &newTask(t).Scope
	_, err := a.SendAll(ctx, []byte("question"))
	check(t, err)
	check(t, a.Shutdown(socket.ShutWR))
	buf := make([]byte, 100)
	n, err := b.Recv(ctx, buf)
	check(t, err)
	if string(buf[:n]) != "question" {
		t.Errorf("%q", buf[:n])
	}
	for range 2 {
		if n, err := b.Recv(ctx, buf); n != 0 || err != io.EOF {
			t.Errorf("%d, %v", n, err)
		}
	}
	check(t, b.WaitRead(ctx)) // the end of the stream is something to read
	_, err = b.SendAll(ctx, []byte("answer"))
	check(t, err)
	n, err = a.Recv(ctx, buf)
	check(t, err)
	if string(buf[:n]) != "answer" {
		t.Errorf("%q", buf[:n])
	}
	_, err = a.Send(ctx, []byte("x"))
	want(t, err, syscall.EPIPE)
	check(t, b.Shutdown(socket.ShutRDWR))
	if _, err := a.Recv(ctx, buf); err != io.EOF {
		t.Error(err)
	}
}

// Shutdown wakes who waits to receive.
func TestShutdownWakes(t *testing.T) {
	a, _ := tcpPair(t)
	o, join := in(t, func(ctx context.Context) error {
		_, err := a.Recv(ctx, make([]byte, 1))
		return err
	})
	await(t, parked(o))
	check(t, a.Shutdown(socket.ShutRD))
	if err := join(); err != io.EOF {
		t.Error(err)
	}
}

func TestEmptyBuffer(t *testing.T) {
	a, b := unixPair(t)
	fill(t, a)
	ctx := &newTask(t).Scope
	for name, call := range map[string]func(context.Context, []byte) (int, error){
		"recv": b.Recv, "recv of nothing": a.Recv, "send": a.Send, "send all": a.SendAll,
	} {
		if n, err := call(ctx, nil); n != 0 || err != nil {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
	o := newTask(t)
	cancel(o)
	_, err := a.Recv(&o.Scope, nil)
	want(t, err, wait.ErrTaskCancelled)
	check(t, a.Close())
	_, err = a.Recv(ctx, nil)
	want(t, err, net.ErrClosed)
}

func TestFourMegabytes(t *testing.T) {
	a, b := unixPair(t)
	sent := make([]byte, 4<<20)
	for i := range sent {
		sent[i] = byte(i * 7 >> 3)
	}
	_, join := in(t, func(ctx context.Context) error {
		if n, err := a.SendAll(ctx, sent); n != len(sent) {
			return moved(n, len(sent), err)
		}
		return a.Shutdown(socket.ShutWR)
	})
	received := make([]byte, len(sent)+1)
	n := 0
	for {
		k, err := b.Recv(context.Background(), received[n:])
		n += k
		if err == io.EOF {
			break
		}
		check(t, err)
	}
	check(t, join())
	if !bytes.Equal(sent, received[:n]) {
		t.Errorf("%d bytes, and not those that were sent", n)
	}
}

// One task receives while another one cannot send, on the same socket.
func TestReceiveWhileSendWaits(t *testing.T) {
	a, b := unixPair(t)
	n := fill(t, a)
	sender, send := in(t, func(ctx context.Context) error {
		_, err := a.SendAll(ctx, []byte("x"))
		return err
	})
	await(t, parked(sender))
	receiver, recv := in(t, func(ctx context.Context) error {
		_, err := a.Recv(ctx, make([]byte, 1))
		return err
	})
	await(t, parked(receiver))
	_, err := b.SendAll(context.Background(), []byte("y"))
	check(t, err)
	check(t, recv())
	drain(t, b, n+1)
	check(t, send())
}

// The second receiver waits for its turn; closing wakes it too.
func TestSecondReceiver(t *testing.T) {
	a, b := unixPair(t)
	recv := func(ctx context.Context) error {
		_, err := a.Recv(ctx, make([]byte, 1))
		return err
	}
	var tasks []*wait.Owner
	var joins []func() error
	for range 4 {
		o, join := in(t, recv)
		await(t, parked(o))
		tasks, joins = append(tasks, o), append(joins, join)
	}
	cancel(tasks[1])
	want(t, joins[1](), wait.ErrTaskCancelled)
	_, err := b.SendAll(context.Background(), []byte("x"))
	check(t, err)
	check(t, joins[0]())
	_, err = b.SendAll(context.Background(), []byte("x"))
	check(t, err)
	check(t, joins[2]())
	_, last := in(t, recv)
	check(t, a.Close())
	want(t, joins[3](), net.ErrClosed)
	want(t, last(), net.ErrClosed)
}

func TestPeerResets(t *testing.T) {
	a, b := tcpPair(t)
	o, join := in(t, func(ctx context.Context) error {
		_, err := a.Recv(ctx, make([]byte, 1))
		return err
	})
	await(t, parked(o))
	check(t, socket.Linger.Set(b, 0))
	check(t, b.Close())
	want(t, join(), syscall.ECONNRESET)
	if a.RemoteAddr() == nil || a.LocalAddr() == nil {
		t.Errorf("%v has lost its addresses", a)
	}
}
