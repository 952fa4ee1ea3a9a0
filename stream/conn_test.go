package stream_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/internal/wait"
	"github.com/curio-go/curio/network"
	"github.com/curio-go/curio/socket"
	"github.com/curio-go/curio/stream"
)

var (
	_ stream.Transport = network.Conn(nil)
	_ stream.Transport = (*socket.Socket)(nil)
)

// listen makes a socket that listens on loopback.
func listen(t testing.TB) (l *socket.Socket, port string) {
	t.Helper()
	l, err := socket.New(socket.AF_INET, socket.SOCK_STREAM, 0)
	check(t, err)
	t.Cleanup(func() { l.Close() })
	check(t, l.Bind(localhost))
	check(t, l.Listen(0))
	return l, strconv.Itoa(l.LocalAddr().(*net.TCPAddr).Port)
}

// serve accepts a connection, numbers the lines that come, and says goodbye.
func serve(l *socket.Socket) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		conn, err := l.Accept(ctx)
		if err != nil {
			return err
		}
		s := stream.New(conn)
		s.SetWriteBuffer(1 << 12)
		i := 0
		for line, err := range s.Lines(ctx) {
			if err != nil {
				return err
			}
			i++
			if _, err := fmt.Fprintf(s.Writer(ctx), "%d %s", i, line); err != nil {
				return err
			}
			if s.Buffered() > 0 {
				continue // there is more to answer
			}
			if err := s.Flush(ctx); err != nil {
				return err
			}
		}
		return s.CloseContext(ctx)
	}
}

const pythonClient = `
import socket, sys, threading
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
f = s.makefile("rw", newline="\n")
def write():
    for i in range(20000):
        f.write("line %d\n" % i)
    f.flush()
    s.shutdown(socket.SHUT_WR)
t = threading.Thread(target=write)
t.start()
g = s.makefile("r", newline="\n")
print(sum(1 for i, line in enumerate(g) if line == "%d line %d\n" % (i + 1, i)))
t.join()
`

// Lines to and from other programs.
func TestOtherPrograms(t *testing.T) {
	t.Run("python3", func(t *testing.T) {
		testutil.Need(t, "python3")
		l, port := listen(t)
		_, join := in(t, serve(l))
		child := testutil.Program(t, "python3", "-c", pythonClient, port)
		if out, status := child.Rest(); out != "20000\n" || status != 0 {
			t.Errorf("%q, status %d", out, status)
		}
		check(t, join())
	})
	t.Run("nc", func(t *testing.T) {
		testutil.Need(t, "nc")
		l, port := listen(t)
		_, join := in(t, serve(l))
		child := testutil.Program(t, "nc", "-N", "127.0.0.1", port)
		_, err := io.WriteString(child.Stdin, "hello\nworld\nhalf")
		check(t, err)
		check(t, child.Stdin.Close())
		if out, status := child.Rest(); out != "1 hello\n2 world\n3 half" || status != 0 {
			t.Errorf("%q, status %d", out, status)
		}
		check(t, join())
	})
}

// A stream over a connection of package net, from the client's side, and with what knows
// no contexts on top.
func TestFromConn(t *testing.T) {
	testutil.NoLeaks(t)
	l, port := listen(t)
	_, join := in(t, serve(l))
	conn, err := net.Dial("tcp", "127.0.0.1:"+port)
	check(t, err)
	s := stream.FromConn(conn)
	if s.LocalAddr().String() != conn.LocalAddr().String() || s.RemoteAddr().String() != "127.0.0.1:"+port {
		t.Errorf("%v, %v", s.LocalAddr(), s.RemoteAddr())
	}
	check(t, json.NewEncoder(s.Writer(background)).Encode("text"))
	var text string
	scanner := bufio.NewScanner(s.Reader(background))
	if !scanner.Scan() {
		t.Fatal(scanner.Err())
	}
	check(t, json.Unmarshal([]byte(strings.TrimPrefix(scanner.Text(), "1 ")), &text))
	got(t, text, nil, "text", nil)
	check(t, s.CloseWrite(background))
	if scanner.Scan() {
		t.Errorf("%q", scanner.Text())
	}
	check(t, scanner.Err())
	check(t, join())
	check(t, s.CloseContext(background))
}

// Reader and Writer of a Transport, which reads nothing ahead.
func TestAdapters(t *testing.T) {
	a, b, err := socket.SocketPair(socket.SOCK_STREAM)
	check(t, err)
	defer a.Close()
	defer b.Close()
	n, err := io.WriteString(stream.Writer(background, a), "ab")
	check(t, err)
	p := make([]byte, 1)
	for _, letter := range []string{"a", "b"} {
		k, err := stream.Reader(background, b).Read(p)
		got(t, p[:k], err, letter, nil)
	}
	if n != 2 {
		t.Errorf("%d bytes", n)
	}
	dead := newTask(t)
	cancel(dead)
	_, err = io.Copy(stream.Writer(&dead.Scope, a), stream.Reader(&dead.Scope, b))
	want(t, err, wait.ErrTaskCancelled)
}

// The transport is given back as long as nothing would be lost.
func TestDetach(t *testing.T) {
	s, peer := pair(t)
	refused := func(which error, why string) {
		t.Helper()
		if _, err := s.Detach(); !errors.Is(err, which) || !strings.Contains(err.Error(), why) {
			t.Errorf("%v, want one that is %q and says %q", err, which, why)
		}
	}
	send(t, peer, "STARTTLS\nxyz")
	line, err := s.ReadLine(background)
	got(t, line, err, "STARTTLS\n", nil)
	refused(stream.ErrUnread, "3 bytes")
	xyz, err := s.ReadExactly(background, 3)
	got(t, xyz, err, "xyz", nil)

	s.SetWriteBuffer(10)
	_, err = s.WriteString(background, "hello")
	check(t, err)
	refused(stream.ErrUnsent, "5 bytes")
	check(t, s.Flush(background))

	o, join := in(t, func(ctx context.Context) error { _, err := s.ReadLine(ctx); return err })
	awaitParked(t, o)
	refused(stream.ErrBusy, "reading")
	if s.Buffered() != 0 {
		t.Errorf("%d bytes are buffered", s.Buffered())
	}
	cancel(o)
	want(t, join(), wait.ErrTaskCancelled)

	back, err := s.Detach()
	check(t, err)
	defer back.Close()
	_, err = s.Detach()
	want(t, err, net.ErrClosed)
	_, err = s.ReadLine(background)
	want(t, err, net.ErrClosed)
	want(t, s.CloseContext(background), net.ErrClosed)
	send(t, back, " world")
	got(t, receive(t, peer, 11), nil, "hello world", nil)
}

func TestZeroValue(t *testing.T) {
	for _, s := range []*stream.Stream{nil, new(stream.Stream)} {
		if s == nil {
			continue
		}
		for name, f := range map[string]func() error{
			"read":    func() error { _, err := s.ReadLine(background); return err },
			"write":   func() error { _, err := s.WriteString(background, "x"); return err },
			"lines":   func() error { _, err := s.WriteLines(background, slices.Values([]string{})); return err },
			"flush":   func() error { return s.Flush(background) },
			"shut":    func() error { return s.CloseWrite(background) },
			"close":   func() error { return s.CloseContext(background) },
			"detach":  func() error { _, err := s.Detach(); return err },
			"address": func() error { return errors.New(fmt.Sprint("not made", s.LocalAddr(), s.RemoteAddr(), s.Buffered())) },
		} {
			if err := f(); err == nil || !strings.Contains(err.Error(), "not made") {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestMisuse(t *testing.T) {
	s := arriving("x")
	for name, f := range map[string]func(){
		"New":            func() { stream.New(nil) },
		"FromConn":       func() { stream.FromConn(nil) },
		"ReadExactly":    func() { _, _ = s.ReadExactly(background, -1) },
		"ReadAll":        func() { _, _ = s.ReadAll(background, -2) },
		"ReadUntil":      func() { _, _ = s.ReadUntil(background, nil) },
		"Peek":           func() { _, _ = s.Peek(background, -1) },
		"Discard":        func() { _, _ = s.Discard(background, -1) },
		"SetLineLimit":   func() { s.SetLineLimit(-2) },
		"SetWriteBuffer": func() { s.SetWriteBuffer(-1) },
	} {
		func() {
			defer func() {
				if text, ok := recover().(string); !ok || !strings.HasPrefix(text, "curio/stream: ") {
					t.Errorf("%s: %q", name, text)
				}
			}()
			f()
		}()
	}
	line, err := s.ReadLine(background)
	got(t, line, err, "x", nil)
}
