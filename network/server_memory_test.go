package network_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/socket"
)

// What an idle connection costs. Server and clients are processes of their own, so that
// what is measured is the server's alone.

func init() {
	children["idle"] = idleMain
	children["secure"] = secureMain
}

// own is a buffer of 16 KiB that the handler keeps.
func own(ctx context.Context, conn network.Conn) error {
	buf := make([]byte, 16<<10)
	for {
		n, err := conn.Recv(ctx, buf)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := conn.SendAll(ctx, buf[:n]); err != nil {
			return err
		}
	}
}

// pooled has a buffer only while there is something in it.
func pooled(ctx context.Context, conn network.Conn) error {
	s, ok := conn.(*socket.Socket)
	if !ok {
		return pooledOnAny(ctx, conn)
	}
	for {
		b, err := s.RecvBuffer(ctx)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		_, err = s.SendAll(ctx, b.Bytes())
		b.Release()
		if err != nil {
			return err
		}
	}
}

var blocks = sync.Pool{New: func() any { return new([16 << 10]byte) }}

func pooledOnAny(ctx context.Context, conn network.Conn) error {
	once := func() error {
		if err := conn.WaitRead(ctx); err != nil {
			return err
		}
		buf := blocks.Get().(*[16 << 10]byte)
		defer blocks.Put(buf)
		n, err := conn.Recv(ctx, buf[:])
		if err == nil {
			_, err = conn.SendAll(ctx, buf[:n])
		}
		return err
	}
	for {
		if err := once(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// idleMain is a server. Its arguments are the handler, and the files of a certificate if
// it is one of TLS. For each line that it receives it says how much memory it uses.
func idleMain(args []string) {
	handler := map[string]network.Handler{"own": own, "pooled": pooled}[args[0]]
	err := curio.Run(context.Background(), func(ctx context.Context) error {
		config := new(network.ServerConfig)
		if len(args) > 1 {
			cert, err := tls.LoadX509KeyPair(args[1], args[2])
			if err != nil {
				return err
			}
			config.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, CurvePreferences: []tls.CurveID{tls.X25519}}
		}
		listener, err := network.ListenTCP(ctx, "127.0.0.1:0", config)
		if err != nil {
			return err
		}
		go func() {
			for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
				var m runtime.MemStats
				runtime.GC()
				runtime.GC() // pools let go at the second
				runtime.ReadMemStats(&m)
				fmt.Println(m.HeapAlloc, m.StackInuse)
			}
		}()
		fmt.Println("listening on", listener.LocalAddr())
		return network.RunServer(ctx, listener, handler)
	}, curio.StopOnSignals())
	curio.Exit(err)
}

// secureMain is clientsMain for TLS, as far as it is needed here.
func secureMain(args []string) {
	n, _ := strconv.Atoi(args[1])
	conns := make([]net.Conn, n)
	atOnce := make(chan struct{}, 100)
	config := &tls.Config{InsecureSkipVerify: true, CurvePreferences: []tls.CurveID{tls.X25519}}
	forEach(conns, func(i int, _ net.Conn) (err error) {
		atOnce <- struct{}{}
		defer func() { <-atOnce }()
		conns[i], err = tls.Dial("tcp", args[0], config)
		return err
	})
	fmt.Println("connected")
	for steps := bufio.NewScanner(os.Stdin); steps.Scan(); {
		forEach(conns, func(i int, conn net.Conn) error { return testutil.Echo(conn, testutil.Pattern(i, 3000)) })
		fmt.Println("echoed")
	}
}

// used returns how much heap and stack the server uses for each of n idle connections, in bytes.
// Before that, each has been served once; after it, all are served at the same time.
func used(t *testing.T, handler, client string, n int, files ...string) (heap, stack int) {
	t.Helper()
	server := testutil.Self(t, append([]string{"idle", handler}, files...)...)
	addr := server.After("listening on ")
	measure := func() (heap, stack int) {
		fmt.Fprintln(server.Stdin)
		_, err := fmt.Sscan(server.Line(), &heap, &stack)
		must(t, err)
		return heap, stack
	}
	heapBefore, stackBefore := measure()
	clients := testutil.Self(t, client, addr, strconv.Itoa(n), "1")
	clients.After("connected")
	echo := func() {
		fmt.Fprintln(clients.Stdin, "echo")
		clients.After("echoed") // or the child has ended, and with it the test
	}
	echo()
	heap, stack = measure()
	heap, stack = (heap-heapBefore)/n, (stack-stackBefore)/n
	echo()
	clients.Stdin.Close()
	if status := clients.Wait(); status != 0 {
		t.Errorf("the clients ended with status %d: %s", status, clients.Stderr())
	}
	server.Interrupt()
	if said := server.EndedBy(syscall.SIGINT); said != "" {
		t.Errorf("the server said %q", said)
	}
	return heap, stack
}

// A server whose handlers have a buffer only when they need one has less by that buffer
// for each idle connection, and loses none of them when all speak at once.
func TestIdleConnections(t *testing.T) {
	n := 2000
	if !testutil.Long || testutil.Race {
		n = 200
	}
	cert, _ := testutil.Certificate(t)
	certFile, keyFile := testutil.WriteCertificate(t, cert)
	for _, c := range []struct {
		name, client string
		files        []string
	}{
		{"plain", "clients", nil},
		{"TLS", "secure", []string{certFile, keyFile}},
	} {
		t.Run(c.name, func(t *testing.T) {
			testutil.NoLeaks(t)
			own, stack := used(t, "own", c.client, n, c.files...)
			pooled, stackThen := used(t, "pooled", c.client, n, c.files...)
			t.Logf("%d connections: %d bytes of heap and %d of stack each with a buffer of 16 KiB, %d and %d without", n, own, stack, pooled, stackThen)
			most := 3 << 10 // the stack has not been doubled: see service.serve
			if c.files != nil {
				most = 9 << 10
			}
			if testutil.Race { // which makes frames larger
				most *= 2
			}
			if max(stack, stackThen) > most {
				t.Errorf("%d and %d bytes of stack for each, want at most %d", stack, stackThen, most)
			}
			if saved := own - pooled; saved < 14<<10 || saved > 18<<10 {
				t.Errorf("%d bytes are saved for each, want about 16 KiB", saved)
			}
		})
	}
}
