package socket_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/socket"
)

// The other side is somebody else's.

func TestPackageNetConnects(t *testing.T) {
	for _, c := range []struct {
		family int
		addr   net.Addr
	}{
		{socket.AF_INET, localhost},
		{socket.AF_UNIX, &net.UnixAddr{Name: t.TempDir() + "/s"}},
	} {
		l := listen(t, c.family, c.addr, 0)
		_, join := in(t, serve(l))
		conn, err := net.Dial(l.LocalAddr().Network(), l.LocalAddr().String())
		check(t, err)
		message := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
		go func() {
			conn.Write(message)
			conn.(interface{ CloseWrite() error }).CloseWrite()
		}()
		got, err := io.ReadAll(conn)
		check(t, err)
		check(t, conn.Close())
		check(t, join())
		if !bytes.Equal(got, message) {
			t.Errorf("%d bytes came back, and not those that were sent", len(got))
		}
	}
}

func TestPackageNetAccepts(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer l.Close()
	done := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err == nil {
			_, err = io.Copy(conn, conn)
			err = errors.Join(err, conn.Close())
		}
		done <- err
	}()
	s := open(t, socket.AF_INET)
	ctx := context.Background()
	check(t, s.Connect(ctx, l.Addr()))
	_, err = s.SendAll(ctx, []byte("hello"))
	check(t, err)
	check(t, s.Shutdown(socket.ShutWR))
	buf := make([]byte, 100)
	n, err := s.Recv(ctx, buf)
	check(t, err)
	if string(buf[:n]) != "hello" {
		t.Errorf("%q", buf[:n])
	}
	if _, err := s.Recv(ctx, buf); err != io.EOF {
		t.Error(err)
	}
	check(t, <-done)
}

const pythonClient = `
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
data = b"x" * 1000000
import threading
t = threading.Thread(target=lambda: (s.sendall(data), s.shutdown(socket.SHUT_WR)))
t.start()
n = 0
while True:
    chunk = s.recv(65536)
    if not chunk:
        break
    n += len(chunk)
t.join()
print(n)
`

func TestOtherPrograms(t *testing.T) {
	for _, c := range []struct {
		name, stdin, want string
		args              []string
	}{
		{"python3", "", "1000000\n", []string{"-c", pythonClient}},
		{"nc", "hello\n", "hello\n", []string{"-N", "127.0.0.1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			testutil.Need(t, c.name)
			l := listen(t, socket.AF_INET, localhost, 0)
			_, join := in(t, serve(l))
			port := strconv.Itoa(l.LocalAddr().(*net.TCPAddr).Port)
			cmd := testutil.Command(t, c.name, append(c.args, port)...)
			cmd.Stdin = strings.NewReader(c.stdin)
			out, err := cmd.CombinedOutput()
			check(t, err)
			check(t, join())
			if string(out) != c.want {
				t.Errorf("it printed %q", out)
			}
		})
	}
}
