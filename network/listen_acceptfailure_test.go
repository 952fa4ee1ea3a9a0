package network_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/socket"
)

// A troubled is a listener that fails with err as many times as it is told to, then returns
// a connection, and then waits for Close.
type troubled struct {
	err    error
	times  int // negative: forever
	tries  int
	conn   net.Conn
	closed chan struct{}
}

func (l *troubled) Accept() (net.Conn, error) {
	if l.tries++; l.times < 0 || l.tries <= l.times {
		return nil, l.err
	}
	if conn := l.conn; conn != nil {
		l.conn = nil
		return conn, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

func (l *troubled) Close() error {
	close(l.closed)
	return nil
}

func (l *troubled) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

// A temporaryError calls itself temporary if it is true.
type temporaryError bool

func (e temporaryError) Error() string   { return fmt.Sprint("temporary: ", bool(e)) }
func (e temporaryError) Temporary() bool { return bool(e) }
func (e temporaryError) Timeout() bool   { return false }

func ofAccept(errno syscall.Errno) error {
	return &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", errno)}
}

// passing returns errors after which to try again: accept(2) says so, or they do
// themselves.
func passing() map[string]error {
	errs := map[string]error{
		"temporary":          temporaryError(true),
		"temporary, wrapped": fmt.Errorf("accept: %w", temporaryError(true)),
		"net.OpError":        &net.OpError{Op: "accept", Err: temporaryError(true)},
		"a deadline":         &net.OpError{Op: "accept", Err: os.ErrDeadlineExceeded},
	}
	for _, errno := range []syscall.Errno{
		syscall.ENETDOWN, syscall.EPROTO, syscall.ENOPROTOOPT, syscall.EHOSTDOWN, syscall.EHOSTUNREACH,
		syscall.EOPNOTSUPP, syscall.ENETUNREACH, syscall.ECONNABORTED, syscall.ECONNRESET, syscall.EINTR, syscall.EPERM,
		syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EAGAIN,
	} {
		errs[errno.Error()] = ofAccept(errno)
	}
	if runtime.GOOS == "linux" {
		errs["ENONET"] = ofAccept(syscall.Errno(64))
	}
	return errs
}

// quiet runs fn in a kernel that logs nothing.
func quiet(ctx context.Context, fn func(ctx context.Context) error) error {
	k := curio.NewKernel(curio.Logger(slog.New(slog.DiscardHandler)))
	err := k.Run(ctx, fn)
	return errors.Join(err, k.Shutdown(context.Background()))
}

// An error that passes does not end a server: the next connection is served.
func TestAcceptErrorsThatPass(t *testing.T) {
	for name, err := range passing() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				here, there := net.Pipe()
				l := &troubled{err: err, times: 3, conn: there, closed: make(chan struct{})}
				err := quiet(t.Context(), func(ctx context.Context) error {
					server := curio.Go(ctx, func(ctx context.Context) error {
						return network.RunServer(ctx, network.FromListener(l, nil), echo)
					}, curio.ReportCrash(false))
					testutil.EchoTwice(t, here)
					here.Close()
					if _, err := server.Cancel(ctx); err != nil {
						return err
					}
					is(t, server.Err(), taskCancelled...)
					return nil
				})
				must(t, err)
			})
		})
	}
}

// An error that never passes keeps no processor busy, and the server can still be stopped.
func TestAcceptErrorsForEver(t *testing.T) {
	for name, failed := range passing() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &troubled{err: failed, times: -1, closed: make(chan struct{})}
				err := quiet(t.Context(), func(ctx context.Context) error {
					_, err := curio.IgnoreAfter(ctx, time.Minute, func(ctx context.Context) error {
						return network.RunServer(ctx, network.FromListener(l, nil), echo)
					})
					return err
				})
				if errors.Is(failed, syscall.EOPNOTSUPP) { // it cannot accept at all
					if !errors.Is(err, syscall.EOPNOTSUPP) {
						t.Error(err)
					}
				} else {
					must(t, err)
				}
				if l.tries > 200 {
					t.Errorf("%d tries in a minute", l.tries)
				}
			})
		})
	}
}

// Any other error ends the server.
func TestAcceptErrorsThatEnd(t *testing.T) {
	for name, failed := range map[string]error{
		"EINVAL":        ofAccept(syscall.EINVAL),
		"EBADF":         ofAccept(syscall.EBADF),
		"closed":        net.ErrClosed,
		"not temporary": temporaryError(false),
		"some other":    errors.New("no more"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &troubled{err: failed, times: -1, closed: make(chan struct{})}
				err := quiet(t.Context(), func(ctx context.Context) error {
					return network.RunServer(ctx, network.FromListener(l, nil), echo)
				})
				cause := failed
				if op, ok := cause.(*net.OpError); ok {
					cause = op.Err
				}
				if !errors.Is(err, cause) || l.tries != 1 {
					t.Errorf("%v after %d tries", err, l.tries)
				}
			})
		})
	}
}

// A socket that does not listen, or cannot, ends a server too.
func TestAcceptOnWhatDoesNotListen(t *testing.T) {
	for _, typ := range []int{socket.SOCK_STREAM, socket.SOCK_DGRAM} {
		testutil.NoLeaks(t)
		s, err := socket.New(socket.AF_INET, typ, 0)
		must(t, err)
		l := network.NewListener(s, nil)
		err = quiet(t.Context(), func(ctx context.Context) error { return network.RunServer(ctx, l, echo) })
		if !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.EOPNOTSUPP) {
			t.Error(err)
		}
	}
}
