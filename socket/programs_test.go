package socket_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/socket"
)

// netcat and socat with datagrams and packets, which have no end by which a program would
// know that it has all: each line is answered, and that is awaited.

// answering answers each message, from whomever it is, until the test ends.
func answering(t *testing.T, s *socket.Socket) {
	t.Helper()
	o, join := in(t, func(ctx context.Context) error {
		for buf := make([]byte, 1000); ; {
			n, from, err := s.RecvFrom(ctx, buf, 0)
			if err != nil {
				return err
			}
			if _, err := s.SendTo(ctx, buf[:n], 0, from); err != nil {
				return err
			}
		}
	})
	t.Cleanup(func() {
		cancel(o)
		_ = join()
	})
}

// talksLines checks that what a program sends comes back to it, message by message.
func talksLines(t *testing.T, args ...string) *testutil.Child {
	t.Helper()
	program := testutil.Program(t, args[0], args[1:]...)
	for i := range 3 {
		line := fmt.Sprint("this is message ", i)
		_, err := fmt.Fprintln(program.Stdin, line)
		check(t, err)
		if got := program.Line(); got != line {
			t.Errorf("%s received %q, want %q", args[0], got, line)
		}
	}
	return program
}

func TestProgramsWithDatagrams(t *testing.T) {
	for _, name := range []string{"nc", "socat", "socat unixgram"} {
		t.Run(name, func(t *testing.T) {
			testutil.Need(t, strings.Fields(name)[0])
			s := udp(t)
			if name == "socat unixgram" {
				s = unixgram(t)
			}
			answering(t, s)
			addr := s.LocalAddr().String()
			host, port, _ := strings.Cut(addr, ":")
			args := map[string][]string{
				"nc":             {"nc", "-u", host, port},
				"socat":          {"socat", "STDIO", "UDP:" + addr},
				"socat unixgram": {"socat", "STDIO", "UNIX-SENDTO:" + addr + ",bind=" + addr + "-client"},
			}[name]
			program := talksLines(t, args...)
			program.Kill()
			program.Wait()
		})
	}
}

// Our client, and socat, which answers one sender after the other.
func TestDatagramsToSocat(t *testing.T) {
	testutil.Need(t, "socat")
	at := udp(t) // a port that is free
	addr := at.LocalAddr().String()
	check(t, at.Close())
	server := testutil.Program(t, "socat", "-d", "-d", "UDP-RECVFROM:"+addr[strings.Index(addr, ":")+1:]+",bind=127.0.0.1,fork", "EXEC:cat")
	testutil.Await(t, "receiver", func() bool { return strings.Contains(server.Stderr(), "receiving on") })
	s := udp(t)
	to, err := net.ResolveUDPAddr("udp", addr)
	check(t, err)
	for i := range 2 {
		text := fmt.Sprint("message ", i)
		_, err := s.SendTo(context.Background(), []byte(text), 0, to)
		check(t, err)
		buf := make([]byte, 100)
		n, from, err := s.RecvFrom(context.Background(), buf, 0)
		if string(buf[:n]) != text || err != nil || from.String() != addr {
			t.Errorf("%q from %v, %v", buf[:n], from, err)
		}
	}
}

// Packets keep their boundaries, and have an end.
func TestProgramsWithPackets(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("socat has the number of Linux for such sockets")
	}
	testutil.Need(t, "socat")
	l := openOf(t, socket.AF_UNIX, socket.SOCK_SEQPACKET)
	name := unixgram(t).LocalAddr().String() + "-packet"
	check(t, l.Bind(&net.UnixAddr{Name: name, Net: "unixpacket"}))
	check(t, l.Listen(0))
	_, join := in(t, func(ctx context.Context) error {
		conn, err := l.Accept(ctx)
		if err != nil {
			return err
		}
		defer conn.Close()
		for buf := make([]byte, 1000); ; {
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
	})
	program := talksLines(t, "socat", "-t", "30", "STDIO", "UNIX-CONNECT:"+name+",type=5")
	program.Stdin.Close()
	if rest, status := program.Rest(); rest != "" || status != 0 {
		t.Errorf("socat received %q at the end, and ended with status %d", rest, status)
	}
	check(t, join())
}
