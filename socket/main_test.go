package socket_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio/internal/wait"
	"github.com/curio-go/curio/internal/waittest"
	"github.com/curio-go/curio/socket"
)

// What a test does in the name of a task.
var (
	newTask = waittest.Task
	cancel  = waittest.Cancel
	in      = waittest.In
)

// TestMain sees to it that the tests leave no goroutine and no descriptor behind.
// In a process that a benchmark has started it is that benchmark's server.
func TestMain(m *testing.M) {
	if serveFor(os.Getenv(serverVariable)) {
		return
	}
	r, w, err := os.Pipe() // starts the runtime's poller, which has descriptors of its own
	if err != nil {
		panic(err)
	}
	r.Close()
	w.Close()
	goroutines, descriptors := runtime.NumGoroutine(), len(descriptors())
	code := m.Run()
	if flag.Lookup("test.fuzz").Value.String() != "" {
		os.Exit(code) // fuzzing listens for signals for ever
	}
	if code == 0 && !soon(func() bool { return runtime.NumGoroutine() <= goroutines }) {
		fmt.Printf("goroutines left behind:\n%s\n", stacks())
		code = 1
	}
	if code == 0 && !soon(func() bool { return len(descriptorsOfOurs()) <= descriptors }) {
		fmt.Printf("descriptors left behind: %v\n", descriptorsOfOurs())
		code = 1
	}
	os.Exit(code)
}

func soon(cond func() bool) bool {
	for began := time.Now(); time.Since(began) < 20*time.Second; runtime.Gosched() {
		if cond() {
			return true
		}
	}
	return false
}

func stacks() []byte {
	buf := make([]byte, 1<<20)
	return buf[:runtime.Stack(buf, true)]
}

// descriptors is empty where there is no /proc.
func descriptors() (open []string) {
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		target, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err == nil {
			open = append(open, e.Name()+" "+target)
		}
	}
	return open
}

// descriptorsOfOurs leaves out what package os opens once, to start a process.
func descriptorsOfOurs() (open []string) {
	for _, d := range descriptors() {
		if !strings.HasSuffix(d, "anon_inode:[pidfd]") {
			open = append(open, d)
		}
	}
	return open
}

// detachedTask makes a task that no test waits for.
func detachedTask() (ctx context.Context, done func()) {
	o := new(wait.Owner)
	o.InitTask(context.Background(), wait.NewKernel())
	return &o.Scope, o.Close
}

func await(t testing.TB, cond func() bool) {
	t.Helper()
	if !soon(cond) {
		t.Fatal("it does not come true")
	}
}

func parked(o *wait.Owner) func() bool {
	return func() bool { _, ok := o.Parked(); return ok }
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t testing.TB, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("%v, want %v", err, target)
	}
}

// closing closes s at the end of the test, unless that has been done.
func closing(t testing.TB, s *socket.Socket) *socket.Socket {
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
	return s
}

func open(t testing.TB, family int) *socket.Socket {
	t.Helper()
	return openOf(t, family, socket.SOCK_STREAM)
}

func openOf(t testing.TB, family, typ int) *socket.Socket {
	t.Helper()
	s, err := socket.New(family, typ, 0)
	check(t, err)
	return closing(t, s)
}

// localhost is any port of the loopback interface, for a stream; anyPort is the same for
// any type.
var (
	localhost = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}
	anyPort   = netip.MustParseAddrPort("127.0.0.1:0")
)

// listen makes a listening socket.
func listen(t testing.TB, family int, addr net.Addr, backlog int) *socket.Socket {
	t.Helper()
	l := open(t, family)
	check(t, l.Bind(addr))
	check(t, l.Listen(backlog))
	return l
}

// unixPair makes two connected Unix sockets.
func unixPair(t testing.TB) (a, b *socket.Socket) {
	t.Helper()
	return pairOf(t, socket.SOCK_STREAM)
}

func pairOf(t testing.TB, typ int) (a, b *socket.Socket) {
	t.Helper()
	a, b, err := socket.SocketPair(typ)
	check(t, err)
	return closing(t, a), closing(t, b)
}

// udp makes a datagram socket on loopback.
func udp(t testing.TB) *socket.Socket {
	t.Helper()
	s := openOf(t, socket.AF_INET, socket.SOCK_DGRAM)
	check(t, s.BindAddrPort(anyPort))
	return s
}

// udpPair makes two datagram sockets that are connected with each other.
func udpPair(t testing.TB) (a, b *socket.Socket) {
	t.Helper()
	a, b = udp(t), udp(t)
	check(t, a.Connect(context.Background(), b.LocalAddr()))
	check(t, b.Connect(context.Background(), a.LocalAddr()))
	return a, b
}

// unixgram makes a datagram socket of the Unix domain that has a path.
func unixgram(t testing.TB) *socket.Socket {
	t.Helper()
	dir, err := os.MkdirTemp("", "curio") // short, as a socket's name has to be
	check(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := openOf(t, socket.AF_UNIX, socket.SOCK_DGRAM)
	check(t, s.Bind(&net.UnixAddr{Name: dir + "/s", Net: "unixgram"}))
	return s
}

// stuff sends datagrams to another's queue until that is full, and returns how many.
func stuff(t testing.TB, s *socket.Socket, to net.Addr) (n int) {
	t.Helper()
	for {
		_, err := s.SendTo(context.Background(), []byte("stuff"), socket.MSG_DONTWAIT, to)
		if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.ENOBUFS) {
			return n
		}
		check(t, err)
		n++
	}
}

// empty receives n datagrams.
func empty(t testing.TB, s *socket.Socket, n int) {
	t.Helper()
	for range n {
		_, err := s.Recv(context.Background(), make([]byte, 10))
		check(t, err)
	}
}

// tcpPair makes two connected TCP sockets.
func tcpPair(t testing.TB) (a, b *socket.Socket) {
	t.Helper()
	return connectedTo(t, listen(t, socket.AF_INET, localhost, 0), socket.AF_INET)
}

// connectedTo makes a connection to l and returns both ends of it.
func connectedTo(t testing.TB, l *socket.Socket, family int) (client, server *socket.Socket) {
	t.Helper()
	ctx := context.Background()
	client = open(t, family)
	check(t, client.Connect(ctx, l.LocalAddr()))
	server, err := l.Accept(ctx)
	check(t, err)
	return client, closing(t, server)
}

// fill sends until there is no more room, and returns how much that was. It is for
// Unix sockets: on a TCP connection the system goes on making room.
func fill(t testing.TB, s *socket.Socket) (n int) {
	t.Helper()
	for block := make([]byte, 4096); ; {
		k, err := syscall.Write(s.FD(), block)
		if err == syscall.EAGAIN {
			return n
		}
		check(t, err)
		n += k
	}
}

// drain receives n bytes.
func drain(t testing.TB, s *socket.Socket, n int) {
	t.Helper()
	for buf := make([]byte, 1<<16); n > 0; {
		k, err := s.Recv(context.Background(), buf[:min(n, len(buf))])
		check(t, err)
		n -= k
	}
}

func unixAddr(name string) *net.UnixAddr { return &net.UnixAddr{Name: name} }
