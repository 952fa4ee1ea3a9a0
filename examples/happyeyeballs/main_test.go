package main

import (
	"context"
	"errors"
	"net"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
)

func TestMain(m *testing.M) { testutil.Main(m, main) }

// never is a delay that a test would not survive.
const never = time.Hour

var connected = regexp.MustCompile(`^connected with (\S+) after (\S+)\n$`)

// run runs the program and returns what it says.
func run(t *testing.T, args ...string) (with string, after time.Duration) {
	t.Helper()
	child := testutil.Self(t, args...)
	printed, status := child.Rest()
	said := connected.FindStringSubmatch(printed)
	if said == nil || status != 0 {
		t.Fatalf("it printed %q and ended with status %d", printed, status)
	}
	after, err := time.ParseDuration(said[2])
	if err != nil {
		t.Fatal(err)
	}
	return said[1], after
}

// The program makes an address that refuses, which costs nothing, and one that
// never answers, which costs a delay.
func TestProgramOnItsOwn(t *testing.T) {
	const delay = 500 * time.Millisecond
	if _, after := run(t, "-delay", delay.String()); after < delay || after >= 2*delay {
		t.Errorf("it took %v, with a delay of %v", after, delay)
	}
}

func TestProgram(t *testing.T) {
	const delay = 500 * time.Millisecond
	answers := listen(t).Addr().String()
	with, after := run(t, "-delay", delay.String(), testutil.Refusing(t), testutil.Mute(t), answers)
	if with != answers || after < delay || after >= 2*delay {
		t.Errorf("it connected with %s after %v, want %s, with a delay of %v", with, after, answers, delay)
	}
}

func TestProgramFails(t *testing.T) {
	refusing := testutil.Refusing(t)
	child := testutil.Self(t, refusing)
	printed, status := child.Rest()
	if status != 1 || printed != "" || !strings.Contains(child.Stderr(), refusing) {
		t.Errorf("it printed %q, complained %q and ended with status %d", printed, child.Stderr(), status)
	}
}

// inTask calls connect in a task. Whatever comes of it, when it returns no descriptor
// may be left but the connection's.
func inTask(t *testing.T, k *curio.Kernel, body func(ctx context.Context) (network.Conn, error)) (conn network.Conn, err error) {
	t.Helper()
	before := len(testutil.Descriptors(os.Getpid()))
	err = k.Run(t.Context(), func(ctx context.Context) error {
		conn, err = body(ctx)
		return err
	})
	if conn != nil {
		before++
		t.Cleanup(func() { conn.Close() })
	}
	if len(testutil.Descriptors(os.Getpid())) > before {
		t.Errorf("of %d descriptors that there should be, there are %q", before, testutil.Descriptors(os.Getpid()))
	}
	return conn, err
}

// listen returns a listener that nobody accepts from.
func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener
}

func TestFirstAnswers(t *testing.T) {
	testutil.NoLeaks(t)
	addrs := []string{listen(t).Addr().String(), testutil.Refusing(t)}
	conn, err := inTask(t, curio.NewKernel(), func(ctx context.Context) (network.Conn, error) {
		return connect(ctx, addrs, never)
	})
	if err != nil || conn.RemoteAddr().String() != addrs[0] {
		t.Errorf("%v, %v", conn, err)
	}
}

// An attempt that fails is followed by the next at once.
func TestRefusalCostsNoDelay(t *testing.T) {
	testutil.NoLeaks(t)
	addrs := []string{testutil.Refusing(t), testutil.Refusing(t), listen(t).Addr().String()}
	conn, err := inTask(t, curio.NewKernel(), func(ctx context.Context) (network.Conn, error) {
		return connect(ctx, addrs, never)
	})
	if err != nil || conn.RemoteAddr().String() != addrs[2] {
		t.Errorf("%v, %v", conn, err)
	}
}

func TestSilenceCostsOneDelay(t *testing.T) {
	testutil.NoLeaks(t)
	const delay = 500 * time.Millisecond
	addrs := []string{testutil.Mute(t), listen(t).Addr().String(), testutil.Refusing(t)}
	began := time.Now()
	conn, err := inTask(t, curio.NewKernel(), func(ctx context.Context) (network.Conn, error) {
		return connect(ctx, addrs, delay)
	})
	took := time.Since(began)
	if err != nil || conn.RemoteAddr().String() != addrs[1] {
		t.Fatalf("%v, %v", conn, err)
	}
	if took < delay || took > testutil.Patience { // nobody answers at the first one for minutes
		t.Errorf("it took %v, with a delay of %v", took, delay)
	}
}

func TestEveryAddressIsInTheError(t *testing.T) {
	testutil.NoLeaks(t)
	addrs := []string{testutil.Refusing(t), testutil.Refusing(t), testutil.Refusing(t)}
	conn, err := inTask(t, curio.NewKernel(), func(ctx context.Context) (network.Conn, error) {
		return connect(ctx, addrs, never)
	})
	if conn != nil || !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatalf("%v, %v", conn, err)
	}
	for _, addr := range addrs {
		if !strings.Contains(err.Error(), addr) {
			t.Errorf("%q does not name %s", err, addr)
		}
	}
}

func TestNoAddress(t *testing.T) {
	testutil.NoLeaks(t)
	conn, err := inTask(t, curio.NewKernel(), func(ctx context.Context) (network.Conn, error) { return connect(ctx, nil, never) })
	if conn != nil || err == nil {
		t.Errorf("%v, %v", conn, err)
	}
}

func TestCancelledDuringTheRace(t *testing.T) {
	testutil.NoLeaks(t)
	addrs := []string{testutil.Mute(t), testutil.Mute(t)}
	k := curio.NewKernel()
	conn, err := inTask(t, k, func(ctx context.Context) (network.Conn, error) {
		race := curio.Spawn(ctx, func(ctx context.Context) (network.Conn, error) {
			return connect(ctx, addrs, time.Millisecond)
		})
		testutil.Await(t, "attempts to connect", func() bool { return connecting(k) == len(addrs) })
		if did, err := race.Cancel(ctx); !did || err != nil {
			t.Errorf("Cancel: %v, %v", did, err)
		}
		return race.Result()
	})
	if conn != nil || !errors.Is(err, curio.ErrTaskCancelled) {
		t.Errorf("%v, %v", conn, err)
	}
}

// connecting counts the tasks that wait for an answer.
func connecting(k *curio.Kernel) (n int) {
	for _, task := range k.Tasks() {
		if task.State() == "CONNECT_WAIT" {
			n++
		}
	}
	return n
}

func TestTimedOutDuringTheRace(t *testing.T) {
	testutil.NoLeaks(t)
	addrs := []string{testutil.Mute(t), testutil.Mute(t)}
	conn, err := inTask(t, curio.NewKernel(), func(ctx context.Context) (conn network.Conn, err error) {
		return conn, curio.TimeoutAfter(ctx, 50*time.Millisecond, func(ctx context.Context) error {
			conn, err = connect(ctx, addrs, time.Millisecond)
			return err
		})
	})
	if conn != nil || !errors.Is(err, curio.ErrTaskTimeout) {
		t.Errorf("%v, %v", conn, err)
	}
}

// Without a delay all attempts run at once, and now and then more than one succeeds
// before the first has ended the others.
func TestSecondWinnerIsClosed(t *testing.T) {
	testutil.NoLeaks(t)
	var listeners []net.Listener
	var addrs []string
	for range 8 {
		listeners = append(listeners, listen(t))
		addrs = append(addrs, listeners[len(listeners)-1].Addr().String())
	}
	seconds, rounds := 0, 0
	for ; seconds < 10 && rounds < 5000; rounds++ {
		conn, err := inTask(t, curio.NewKernel(), func(ctx context.Context) (network.Conn, error) {
			return connect(ctx, addrs, 0)
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, listener := range listeners {
			seconds += closedConnections(t, listener, conn.LocalAddr().String())
		}
		conn.Close()
	}
	t.Logf("%d second winners in %d rounds", seconds, rounds)
	if seconds == 0 {
		t.Error("there never was a second winner")
	}
}

// closedConnections accepts all the connections that wait, and counts those that do
// not come from winner. All these must have been closed by now.
func closedConnections(t *testing.T, listener net.Listener, winner string) (n int) {
	t.Helper()
	raw, err := listener.(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	err = raw.Control(func(listening uintptr) {
		for {
			fd, from, err := syscall.Accept(int(listening))
			if err != nil {
				if err != syscall.EAGAIN {
					t.Error(err)
				}
				return
			}
			peer := from.(*syscall.SockaddrInet4)
			if (&net.TCPAddr{IP: peer.Addr[:], Port: peer.Port}).String() != winner {
				n++
				if err := syscall.SetNonblock(fd, true); err != nil {
					t.Error(err)
				}
				if got, err := syscall.Read(fd, make([]byte, 1)); got != 0 {
					t.Errorf("a second winner is open: read returns %d, %v", got, err)
				}
			}
			syscall.Close(fd)
		}
	})
	if err != nil {
		t.Error(err)
	}
	return n
}
