package socket_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/socket"
)

// stdioVariable makes this program the child whose standard streams are closed.
const stdioVariable = "CURIO_TEST_STDIO"

func init() {
	if os.Getenv(stdioVariable) != "" {
		report := os.NewFile(3, "report")
		r, w, err := os.Pipe() // starts the runtime's poller, which has descriptors of its own
		if err != nil {
			panic(err)
		}
		r.Close()
		w.Close()
		closeStdio()
		numbers := makeAll()
		closeStdio() // nothing may have opened these numbers meanwhile
		fmt.Fprintln(report, strings.Join(numbers, "\n"))
		report.Close()
		os.Exit(0)
	}
}

// closeStdio frees the numbers of the standard streams. The runtime opens them at the start
// of a program, so the program has to do this itself.
func closeStdio() {
	for fd := range 3 {
		syscall.Close(fd)
	}
}

// makeAll makes a descriptor in every possible way, and returns a line about each, with its
// number or what went wrong.
func makeAll() (numbers []string) {
	ctx, cancel := context.WithTimeout(context.Background(), testutil.Patience)
	defer cancel()
	note := func(what string, fd int, err error) {
		numbers = append(numbers, fmt.Sprint(what, " ", fd, " ", err))
	}
	noteSocket := func(what string, s *socket.Socket, err error) *socket.Socket {
		if err != nil {
			note(what, -1, err)
			return new(socket.Socket)
		}
		note(what, s.FD(), nil)
		return s
	}
	l, err := socket.New(socket.AF_INET, socket.SOCK_STREAM, 0)
	noteSocket("New", l, err)
	err = errors.Join(l.Bind(localhost), l.Listen(0))
	client, err2 := socket.New(socket.AF_INET, socket.SOCK_STREAM, 0)
	err = errors.Join(err, err2, client.Connect(ctx, l.LocalAddr()))
	server, err2 := l.Accept(ctx)
	server = noteSocket("Accept", server, errors.Join(err, err2))
	for _, typ := range []int{socket.SOCK_STREAM, socket.SOCK_DGRAM} {
		a, b, err := socket.SocketPair(typ)
		noteSocket("SocketPair", a, err)
		noteSocket("SocketPair", b, err)
		passAll(ctx, a, b, note)
	}
	twin, err := server.Dup()
	noteSocket("Dup", twin, err)
	file, err := server.File()
	note("File", int(file.Fd()), err)
	err = server.Blocking(ctx, func(f *os.File) error {
		note("Blocking", int(f.Fd()), nil)
		return nil
	})
	note("Blocking", 3, err)
	low, err := syscall.Dup(server.FD())
	if low != 0 {
		note("the lowest number is not free:", low, err) // then the test proves nothing
	}
	adopted, err := socket.FromFD(low)
	adopted = noteSocket("FromFD", adopted, err)
	detached, err := adopted.Detach()
	note("Detach", detached, err)
	again, err := socket.FromConn(file)
	noteSocket("FromConn", again, err)
	q := curio.NewUniversalQueue[int](0)
	fd, err := q.FD()
	note("UniversalQueue", fd, err)
	return numbers
}

// passAll passes descriptors from a to b, and notes those that come.
func passAll(ctx context.Context, a, b *socket.Socket, note func(what string, fd int, err error)) {
	for range 3 {
		_, err := a.SendFDs(ctx, []byte("x"), a.FD(), b.FD(), a.FD())
		note("SendFDs", 3, err)
	}
	noteControl := func(what string, m *socket.Message, err error) {
		parts, err2 := socket.ParseControl(m.Control[:m.ControlN])
		for _, part := range parts {
			for _, fd := range part.Rights() {
				note(what, fd, errors.Join(err, err2))
			}
		}
	}
	_, fds, err := b.RecvFDs(ctx, make([]byte, 1), 3)
	note("RecvFDs", 2+len(fds)/3, err)
	for _, fd := range fds {
		note("RecvFDs", fd, err)
	}
	m := socket.Message{Buffers: [][]byte{make([]byte, 1)}, Control: make([]byte, socket.ControlSpace(12))}
	_, err = b.RecvMsg(ctx, &m, 0)
	noteControl("RecvMsg", &m, err)
	batch := []socket.Message{m}
	if _, err = b.RecvMMsg(ctx, batch, 0); errors.Is(err, syscall.EOPNOTSUPP) {
		_, err = b.RecvMsg(ctx, &batch[0], 0)
	}
	noteControl("RecvMMsg", &batch[0], err)
}

// A program that has closed its standard streams, or one of them, cannot print into a
// connection by accident: whatever we make or receive has another number.
func TestNoNumberOfStdio(t *testing.T) {
	testutil.NoLeaks(t)
	program, err := os.Executable()
	check(t, err)
	r, w, err := os.Pipe()
	check(t, err)
	child := exec.Command(program)
	child.Env = append(os.Environ(), stdioVariable+"=1")
	child.ExtraFiles = []*os.File{w}
	child.WaitDelay = time.Second
	check(t, child.Start())
	check(t, w.Close())
	out, err := io.ReadAll(r)
	check(t, err)
	check(t, r.Close())
	check(t, child.Wait())
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) < 40 {
		t.Errorf("only %d lines", len(lines))
	}
	for _, line := range lines {
		fields := strings.Fields(line)
		if fd := fields[min(1, len(fields)-1)]; fd == "0" || fd == "1" || fd == "2" || !strings.HasSuffix(line, " <nil>") {
			t.Error(line)
		}
	}
	if t.Failed() {
		t.Logf("%s", out)
	}
}
