package network_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/socket"
)

// setLimit makes n the number that descriptors must be below, and returns what it
// was before.
func setLimit(n int) (before int, err error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, os.NewSyscallError("getrlimit", err)
	}
	before = int(limit.Cur)
	put(&limit.Cur, n)
	return before, os.NewSyscallError("setrlimit", syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
}

// put is for a field that is signed on some systems and unsigned on others.
func put[T int64 | uint64](field *T, n int) { *field = T(n) }

// nextDescriptor is the number that the next descriptor will have.
func nextDescriptor() (int, error) {
	fd, err := syscall.Dup(0)
	if err != nil {
		return 0, os.NewSyscallError("dup", err)
	}
	return fd, syscall.Close(fd)
}

var fullLimit int // what is to be restored, 0 for nothing

// noMoreDescriptors makes every attempt to open one fail, until restoreLimit.
func noMoreDescriptors(t testing.TB) {
	next, err := nextDescriptor()
	if err == nil {
		fullLimit, err = setLimit(next)
	}
	if err != nil {
		t.Error(err)
	}
}

func restoreLimit(t testing.TB) {
	if fullLimit == 0 {
		return
	}
	if _, err := setLimit(fullLimit); err != nil {
		t.Error(err)
	}
	fullLimit = 0
}

// W11, W-N1: running out of descriptors does not end the server, which logs it once.
func TestOutOfDescriptors(t *testing.T) {
	s := newServer(t)
	defer restoreLimit(t)
	listener := listen(t, "127.0.0.1:0", nil)
	addr := listener.LocalAddr().String()
	conn := testutil.Dial(t, addr)
	s.run(func(ctx context.Context) error {
		noMoreDescriptors(t)
		return network.RunServer(ctx, listener, echo)
	})
	s.pauses(t)
	restoreLimit(t)
	testutil.EchoTwice(t, conn)
	record := s.Log.TakeOne(t, msgPause)
	err, _ := record.Attrs["err"].(error)
	if record.Level != slog.LevelWarn || record.Attrs["server"] != addr || !errors.Is(err, syscall.EMFILE) {
		t.Errorf("%v, want a warning of EMFILE", record)
	}
}

// pauses waits until the server has paused three more times.
func (s *server) pauses(t testing.TB) {
	t.Helper()
	for range 3 {
		testutil.Await(t, "pause", func() bool { return s.Task.State() == "TIME_SLEEP" })
		before := s.Task.Cycles()
		testutil.Await(t, "end of the pause", func() bool { return s.Task.Cycles() > before })
	}
}

// shortMain is a server that has descriptors for a few connections only. When it reads a
// line, it prints how much processor time it has used. If the line is "pauses", it first
// waits until the server has paused seven more times, the last time for at least 320 ms.
func shortMain([]string) {
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		listener, err := network.ListenTCP(ctx, "127.0.0.1:0", nil)
		if err != nil {
			return err
		}
		for range 3 { // so that what the library needs for itself is open
			a, b, err := socket.SocketPair(socket.SOCK_STREAM)
			if err != nil {
				return err
			}
			defer a.Close()
			defer b.Close()
		}
		if err := leaveRoom(); err != nil {
			return err
		}
		server := curio.CurrentTask(ctx)
		go func() {
			for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
				for began := server.Cycles(); lines.Text() == "pauses" && server.Cycles() < began+7; {
					_ = curio.Sleep(context.Background(), 10*time.Millisecond)
				}
				fmt.Println(testutil.ProcessorTime())
			}
		}()
		fmt.Println("listening on", listener.LocalAddr())
		return network.RunServer(ctx, listener, echo)
	}, curio.StopOnSignals())
	curio.Exit(err)
}

const roomFor = 20

// leaveRoom sets the limit so that roomFor more descriptors can be had.
func leaveRoom() error {
	highest := 0
	for range roomFor {
		fd, err := syscall.Dup(0)
		if err != nil {
			return os.NewSyscallError("dup", err)
		}
		highest = max(highest, fd)
		defer syscall.Close(fd)
	}
	_, err := setLimit(highest + 1)
	return err
}

// The server pauses instead of trying all the time, and goes on when it can.
func TestOutOfDescriptorsForLong(t *testing.T) {
	testutil.NoLeaks(t)
	child := testutil.Self(t, "short")
	addr := child.After("listening on ")
	cpu := func(when string) time.Duration {
		fmt.Fprintln(child.Stdin, when)
		d, err := time.ParseDuration(child.Line())
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	used, began := cpu("now"), time.Now()
	var conns []net.Conn
	for range roomFor + 10 {
		conns = append(conns, testutil.Dial(t, addr))
	}
	for _, conn := range conns[:roomFor] {
		testutil.EchoTwice(t, conn)
	}
	testutil.Await(t, "shortage", func() bool { return strings.Contains(child.Stderr(), msgPause) })
	used = cpu("pauses") - used
	took := time.Since(began)
	t.Logf("%v of processor time in %v", used, took)
	if used > took/3 {
		t.Errorf("the server used %v of processor time in %v, with nothing to do", used, took)
	}

	// The waiting clients are served when others leave; then there is a shortage again.
	for _, conn := range conns[:5] {
		conn.Close()
	}
	for _, conn := range conns[roomFor : roomFor+5] {
		testutil.EchoTwice(t, conn)
	}
	cpu("pauses")
	for _, conn := range conns[5:roomFor] {
		conn.Close()
	}
	testutil.EchoTwice(t, conns[len(conns)-1])
	testutil.EchoTwice(t, testutil.Dial(t, addr))
	if n := strings.Count(child.Stderr(), msgPause); n != 1 {
		t.Errorf("it speaks %d times of one shortage:\n%s", n, child.Stderr())
	}
	child.Interrupt()
	_ = child.EndedBy(syscall.SIGINT)
}
