package socket_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/curio-go/curio/socket"
)

// An echo server in a process of its own, for benchmarks: the test binary, which finds
// in a variable what kind of server to be. It prints its address, and ends when its
// standard input does.

const serverVariable = "CURIO_SOCKET_TEST_SERVER"

// startServer starts one and returns its address.
func startServer(b *testing.B, impl string) *net.TCPAddr {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serverVariable+"="+impl)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	check(b, err)
	stdout, err := cmd.StdoutPipe()
	check(b, err)
	check(b, cmd.Start())
	b.Cleanup(func() {
		stdin.Close()
		check(b, cmd.Wait())
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	check(b, err)
	addr, err := net.ResolveTCPAddr("tcp", strings.TrimSpace(line))
	check(b, err)
	return addr
}

// serveFor is the server. It reports false if impl names none.
func serveFor(impl string) bool {
	var serve func() (net.Addr, error)
	switch impl {
	case "curio":
		serve = serveCurio
	case "net":
		serve = serveNet
	default:
		return false
	}
	addr, err := serve()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(addr)
	io.Copy(io.Discard, os.Stdin)
	return true
}

func serveCurio() (net.Addr, error) {
	l, err := socket.New(socket.AF_INET, socket.SOCK_STREAM, 0)
	if err != nil {
		return nil, err
	}
	if err := l.Bind(localhost); err != nil {
		return nil, err
	}
	if err := l.Listen(0); err != nil {
		return nil, err
	}
	go func() {
		for {
			s, err := l.Accept(context.Background())
			if err != nil {
				return
			}
			go func() {
				defer s.Close()
				ctx, done := detachedTask()
				defer done()
				_ = echo(ctx, s)
			}()
		}
	}()
	return l.LocalAddr(), nil
}

func serveNet() (net.Addr, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go echoNet(conn)
		}
	}()
	return l.Addr(), nil
}

func echoNet(conn net.Conn) {
	defer conn.Close()
	for buf := make([]byte, 16<<10); ; {
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		if _, err := conn.Write(buf[:n]); err != nil {
			return
		}
	}
}
