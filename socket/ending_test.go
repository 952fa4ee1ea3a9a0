package socket_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/internal/wait"
	"github.com/curio-go/curio/socket"
)

// An operation that waits, and what shows afterwards that its socket still works.
type operation struct {
	name  string
	start func(t *testing.T) (s *socket.Socket, run func(ctx context.Context) error, works func())
}

// operations are all that can wait. One that is added to the package comes here.
var operations = []operation{
	{"recv", func(t *testing.T) (*socket.Socket, func(context.Context) error, func()) {
		a, b := unixPair(t)
		return a, func(ctx context.Context) error {
			n, err := a.Recv(ctx, make([]byte, 1))
			return moved(n, 0, err)
		}, func() { exchange(t, b, a) }
	}},
	{"accept", func(t *testing.T) (*socket.Socket, func(context.Context) error, func()) {
		l := listen(t, socket.AF_INET, localhost, 0)
		return l, func(ctx context.Context) error {
			_, err := l.Accept(ctx)
			return err
		}, func() { connectedTo(t, l, socket.AF_INET) }
	}},
	{"wait to read", func(t *testing.T) (*socket.Socket, func(context.Context) error, func()) {
		a, b := unixPair(t)
		return a, a.WaitRead, func() { exchange(t, b, a) }
	}},
	{"wait to accept", func(t *testing.T) (*socket.Socket, func(context.Context) error, func()) {
		l := listen(t, socket.AF_INET, localhost, 0)
		return l, l.WaitRead, func() { connectedTo(t, l, socket.AF_INET) }
	}},
	{"send", func(t *testing.T) (*socket.Socket, func(context.Context) error, func()) {
		a, b := unixPair(t)
		n := fill(t, a)
		return a, func(ctx context.Context) error {
			n, err := a.Send(ctx, make([]byte, 1<<20))
			return moved(n, 0, err)
		}, func() { drain(t, b, n); exchange(t, a, b) }
	}},
	{"send all", func(t *testing.T) (*socket.Socket, func(context.Context) error, func()) {
		a, b := unixPair(t)
		n := fill(t, a)
		return a, func(ctx context.Context) error {
			n, err := a.SendAll(ctx, make([]byte, 1<<20))
			return moved(n, 0, err)
		}, func() { drain(t, b, n); exchange(t, a, b) }
	}},
	{"wait to write", func(t *testing.T) (*socket.Socket, func(context.Context) error, func()) {
		a, b := unixPair(t)
		n := fill(t, a)
		return a, a.WaitWrite, func() { drain(t, b, n); exchange(t, a, b) }
	}},
	{"recv buffer", func(t *testing.T) (*socket.Socket, func(context.Context) error, func()) {
		a, b := unixPair(t)
		return a, func(ctx context.Context) error {
			_, err := a.RecvBuffer(ctx)
			return err
		}, func() { exchange(t, b, a) }
	}},
	{"send file", func(t *testing.T) (*socket.Socket, func(context.Context) error, func()) {
		a, b := unixPair(t)
		n := fill(t, a)
		file, _ := fileOf(t, 1<<20)
		return a, func(ctx context.Context) error {
			n, err := a.SendFile(ctx, file, 0, -1)
			return moved(int(n), 0, err)
		}, func() { drain(t, b, n); exchange(t, a, b) }
	}},
	{"read call", func(t *testing.T) (*socket.Socket, func(context.Context) error, func()) {
		a, b := unixPair(t)
		return a, func(ctx context.Context) error {
			return a.ReadCall(ctx, func(fd int) error {
				_, err := syscall.Read(fd, make([]byte, 1))
				return err
			})
		}, func() { exchange(t, b, a) }
	}},
	{"write call", func(t *testing.T) (*socket.Socket, func(context.Context) error, func()) {
		a, b := unixPair(t)
		n := fill(t, a)
		return a, func(ctx context.Context) error {
			return a.WriteCall(ctx, func(fd int) error {
				_, err := syscall.Write(fd, make([]byte, 1<<20))
				return err
			})
		}, func() { drain(t, b, n); exchange(t, a, b) }
	}},
	{"blocking, in the queue", func(t *testing.T) (*socket.Socket, func(context.Context) error, func()) {
		a, b := unixPair(t)
		sender, sent := in(t, func(ctx context.Context) error {
			fill(t, a)
			return a.WaitWrite(ctx)
		})
		await(t, parked(sender))
		t.Cleanup(func() { cancel(sender); _ = sent() })
		return a, func(ctx context.Context) error {
			return a.Blocking(ctx, func(*os.File) error { t.Error("it was called"); return nil })
		}, func() { exchange(t, b, a) }
	}},
	{"connect", func(t *testing.T) (*socket.Socket, func(context.Context) error, func()) {
		l := full(t)
		s := open(t, socket.AF_INET)
		return s, func(ctx context.Context) error { return s.Connect(ctx, l.LocalAddr()) }, nil
	}},
}

// messageOperations are those of datagrams and messages.
var messageOperations = []operation{
	receives("recv on UDP", udpPair, func(ctx context.Context, s *socket.Socket) (int, error) {
		return s.Recv(ctx, make([]byte, 1))
	}),
	receives("recv flags", unixPair, func(ctx context.Context, s *socket.Socket) (int, error) {
		return s.RecvFlags(ctx, make([]byte, 1), socket.MSG_WAITALL)
	}),
	receives("recvfrom", udpPair, func(ctx context.Context, s *socket.Socket) (int, error) {
		n, from, err := s.RecvFrom(ctx, make([]byte, 1), 0)
		if from != nil {
			return n, fmt.Errorf("from %v, %w", from, err)
		}
		return n, err
	}),
	receives("recvfrom addrport", udpPair, func(ctx context.Context, s *socket.Socket) (int, error) {
		n, from, err := s.RecvFromAddrPort(ctx, make([]byte, 1), 0)
		if from.IsValid() {
			return n, fmt.Errorf("from %v, %w", from, err)
		}
		return n, err
	}),
	receives("recvmsg", unixPair, func(ctx context.Context, s *socket.Socket) (int, error) {
		m := socket.Message{Buffers: [][]byte{{0}, {0}}, Control: make([]byte, 100)}
		n, err := s.RecvMsg(ctx, &m, 0)
		return n + m.N + m.ControlN, err
	}),
	receives("recv fds", unixPair, func(ctx context.Context, s *socket.Socket) (int, error) {
		n, fds, err := s.RecvFDs(ctx, make([]byte, 1), 1)
		return n + len(fds), err
	}),
	receives("recvmmsg", udpPair, func(ctx context.Context, s *socket.Socket) (int, error) {
		return s.RecvMMsg(ctx, []socket.Message{{Buffers: [][]byte{{0}}}, {}}, 0)
	}),
	sends("send flags", func(ctx context.Context, s *socket.Socket, _ net.Addr) (int, error) {
		return s.SendFlags(ctx, []byte("x"), 0)
	}),
	sends("sendto", func(ctx context.Context, s *socket.Socket, to net.Addr) (int, error) {
		return s.SendTo(ctx, []byte("x"), 0, to)
	}),
	sends("sendmsg", func(ctx context.Context, s *socket.Socket, to net.Addr) (int, error) {
		return s.SendMsg(ctx, &socket.Message{Buffers: [][]byte{{1}, {2}}, Addr: to}, 0)
	}),
	sends("sendmmsg", func(ctx context.Context, s *socket.Socket, to net.Addr) (int, error) {
		return s.SendMMsg(ctx, []socket.Message{{Addr: to}, {Addr: to}}, 0)
	}),
	sends("send fds", func(ctx context.Context, s *socket.Socket, _ net.Addr) (int, error) {
		return s.SendFDs(ctx, []byte("x"), 0)
	}),
	{"sendmsg all", func(t *testing.T) (*socket.Socket, func(context.Context) error, func()) {
		a, b := unixPair(t)
		n := fill(t, a)
		return a, func(ctx context.Context) error {
			n, err := a.SendMsgAll(ctx, &socket.Message{Buffers: [][]byte{make([]byte, 1<<20)}}, 0)
			return moved(n, 0, err)
		}, func() { drain(t, b, n); exchange(t, a, b) }
	}},
}

// receives is an operation for which nothing comes.
func receives(name string, pair func(testing.TB) (a, b *socket.Socket), run func(ctx context.Context, s *socket.Socket) (int, error)) operation {
	return operation{name, func(t *testing.T) (*socket.Socket, func(context.Context) error, func()) {
		a, b := pair(t)
		return a, func(ctx context.Context) error {
			n, err := run(ctx, a)
			return moved(n, 0, err)
		}, func() { exchange(t, b, a) }
	}}
}

// sends is an operation for which there is no room: on a socket that is connected, and
// on one that is not for those that can say where to.
func sends(name string, run func(ctx context.Context, s *socket.Socket, to net.Addr) (int, error)) operation {
	return operation{name, func(t *testing.T) (*socket.Socket, func(context.Context) error, func()) {
		receiver, s := unixgram(t), openOf(t, socket.AF_UNIX, socket.SOCK_DGRAM)
		to := receiver.LocalAddr()
		if name == "send flags" || name == "send fds" {
			check(t, s.Connect(context.Background(), to))
		}
		n := stuff(t, s, to)
		return s, func(ctx context.Context) error {
				n, err := run(ctx, s, to)
				return moved(n, 0, err)
			}, func() {
				empty(t, receiver, n)
				_, err := s.SendTo(context.Background(), []byte("x"), 0, to)
				check(t, err)
				empty(t, receiver, 1)
			}
	}}
}

func moved(n, want int, err error) error {
	if n != want {
		return fmt.Errorf("%d bytes, and %w", n, err)
	}
	return err
}

// exchange sends a byte from one to the other.
func exchange(t *testing.T, from, to *socket.Socket) {
	t.Helper()
	_, err := from.SendAll(context.Background(), []byte("x"))
	check(t, err)
	n, err := to.Recv(context.Background(), make([]byte, 1))
	check(t, err)
	if n != 1 {
		t.Errorf("%d bytes", n)
	}
}

// full makes a listener whose queue is full: further connections do not come about.
func full(t *testing.T) *socket.Socket {
	t.Helper()
	l := listen(t, socket.AF_INET, localhost, 1)
	for range 2 {
		check(t, open(t, socket.AF_INET).Connect(context.Background(), l.LocalAddr()))
	}
	return l
}

// Every operation × every way to end it while it waits, and before: what it returns,
// that it has done nothing, and that the socket works as before.
func TestEndings(t *testing.T) {
	endings := []struct {
		name  string
		end   func(t *testing.T, s *socket.Socket, run func(ctx context.Context) error) error
		is    []error
		isNot []error
	}{
		{"cancelled before", func(t *testing.T, _ *socket.Socket, run func(context.Context) error) error {
			o := newTask(t)
			cancel(o)
			return run(&o.Scope)
		}, []error{wait.ErrTaskCancelled, wait.ErrCancelled, context.Canceled}, []error{context.DeadlineExceeded}},

		{"cancelled", func(t *testing.T, _ *socket.Socket, run func(context.Context) error) error {
			o, join := in(t, run)
			await(t, parked(o))
			cancel(o)
			return join()
		}, []error{wait.ErrTaskCancelled, wait.ErrCancelled, context.Canceled}, []error{context.DeadlineExceeded}},

		{"timeout", func(t *testing.T, _ *socket.Socket, run func(context.Context) error) error {
			s := wait.NewTimeout(&newTask(t).Scope, wait.After(time.Millisecond))
			defer s.Close()
			return run(s)
		}, []error{wait.ErrTaskTimeout, context.DeadlineExceeded, os.ErrDeadlineExceeded}, []error{context.Canceled}},

		{"outer timeout", func(t *testing.T, _ *socket.Socket, run func(context.Context) error) error {
			outer := wait.NewTimeout(&newTask(t).Scope, wait.After(time.Millisecond))
			defer outer.Close()
			inner := wait.NewTimeout(outer, wait.After(time.Hour))
			defer inner.Close()
			return run(inner)
		}, []error{wait.ErrTimeoutCancellation, context.DeadlineExceeded}, []error{wait.ErrTaskTimeout, os.ErrDeadlineExceeded}},

		{"foreign timeout", func(_ *testing.T, _ *socket.Socket, run func(context.Context) error) error {
			ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
			defer cancel()
			return run(ctx)
		}, []error{wait.ErrCancelled, context.DeadlineExceeded}, []error{context.Canceled}},

		{"foreign timeout in a task", func(t *testing.T, _ *socket.Socket, run func(context.Context) error) error {
			ctx, cancel := context.WithTimeout(&newTask(t).Scope, time.Millisecond)
			defer cancel()
			return run(ctx)
		}, []error{wait.ErrCancelled, context.DeadlineExceeded}, []error{context.Canceled}},

		{"closed", func(t *testing.T, s *socket.Socket, run func(context.Context) error) error {
			o, join := in(t, run)
			await(t, parked(o))
			check(t, s.Close())
			return join()
		}, []error{net.ErrClosed}, []error{wait.ErrCancelled}},

		{"closed before", func(t *testing.T, s *socket.Socket, run func(context.Context) error) error {
			check(t, s.Close())
			return run(&newTask(t).Scope)
		}, []error{net.ErrClosed}, []error{wait.ErrCancelled}},
	}
	for _, operation := range slices.Concat(operations, messageOperations) {
		for _, ending := range endings {
			t.Run(operation.name+"/"+ending.name, func(t *testing.T) {
				s, run, works := operation.start(t)
				err := ending.end(t, s, run)
				for _, target := range ending.is {
					if !errors.Is(err, target) {
						t.Errorf("%v is not %v", err, target)
					}
				}
				for _, target := range ending.isNot {
					if errors.Is(err, target) {
						t.Errorf("%v is %v", err, target)
					}
				}
				var wrapped *net.OpError
				if !errors.As(err, &wrapped) || wrapped.Op == "" || wrapped.Net == "" {
					t.Errorf("%#v is not wrapped", err)
				}
				if wrapped != nil && wrapped.Timeout() != errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("Timeout is %v", wrapped.Timeout())
				}
				if works != nil && s.FD() >= 0 {
					works()
				}
			})
		}
	}
}

// What SendAll says it has sent is what the other side receives.
func TestSendAllCutShort(t *testing.T) {
	for name, pair := range map[string]func(testing.TB) (a, b *socket.Socket){"unix": unixPair, "tcp": tcpPair} {
		t.Run(name, func(t *testing.T) {
			a, b := pair(t)
			buf := make([]byte, 64<<20)
			for i := range buf {
				buf[i] = byte(i ^ i>>8 ^ i>>16)
			}
			sent := 0
			o, join := in(t, func(ctx context.Context) (err error) {
				sent, err = a.SendAll(ctx, buf)
				return err
			})
			await(t, parked(o))
			drain(t, b, 1000) // some room, and some more sent
			await(t, parked(o))
			cancel(o)
			want(t, join(), wait.ErrTaskCancelled)
			check(t, a.Shutdown(socket.ShutWR))
			received := 1000
			for into := make([]byte, 1<<16); ; {
				n, err := b.Recv(context.Background(), into)
				if err != nil {
					break
				}
				for _, x := range into[:n] {
					if x != buf[received] {
						t.Fatalf("byte %d is another", received)
					}
					received++
				}
			}
			if sent == 0 || sent == len(buf) || received != sent {
				t.Errorf("sent %d of %d, received %d", sent, len(buf), received)
			}
		})
	}
}

// A connection made in the moment in which Accept is cancelled is there for the next
// call. TCP, as package poll's test of the same has Unix sockets.
func TestAcceptRace(t *testing.T) {
	l := listen(t, socket.AF_INET, localhost, 0)
	accepted, cancelled := 0, 0
	take := func(ctx context.Context) error {
		s, err := l.Accept(ctx)
		if err != nil {
			return err
		}
		accepted++
		return s.Close()
	}
	rounds := testutil.Times(2000)
	for range rounds {
		o, join := in(t, take)
		await(t, func() bool { return parked(o)() || o.Cycles() > 0 })
		s := open(t, socket.AF_INET)
		check(t, socket.Linger.Set(s, 0)) // or the ports run out
		_, dialled := in(t, func(ctx context.Context) error { return s.Connect(ctx, l.LocalAddr()) })
		_, cancels := in(t, func(context.Context) error { cancel(o); return nil })
		err := join()
		check(t, cancels())
		if err != nil {
			want(t, err, wait.ErrTaskCancelled)
			cancelled++
			check(t, take(context.Background()))
		}
		check(t, dialled())
		check(t, s.Close())
	}
	if accepted != rounds {
		t.Errorf("%d of %d", accepted, rounds)
	}
	t.Logf("%d cancelled", cancelled)
}
