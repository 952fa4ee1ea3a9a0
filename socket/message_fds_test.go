package socket_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/socket"
)

// file makes an open file that holds text, and is at its beginning.
func file(t *testing.T, text string) *os.File {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "")
	check(t, err)
	t.Cleanup(func() { f.Close() })
	_, err = f.WriteString(text)
	check(t, err)
	_, err = f.Seek(0, io.SeekStart)
	check(t, err)
	return f
}

// notInherited reports whether a process that is started now would not inherit fd.
func notInherited(t *testing.T, fd int) bool {
	t.Helper()
	flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD, 0)
	if errno != 0 {
		t.Fatal(errno)
	}
	return flags&syscall.FD_CLOEXEC != 0
}

func TestPassDescriptors(t *testing.T) {
	for _, typ := range []int{socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET} {
		if typ == socket.SOCK_SEQPACKET && runtime.GOOS == "darwin" {
			continue
		}
		a, b := pairOf(t, typ)
		one, two := file(t, "one"), file(t, "two")
		o := newTask(t)
		n, err := a.SendFDs(&o.Scope, []byte("data"), int(one.Fd()), int(two.Fd()))
		if n != 4 || err != nil {
			t.Fatal(n, err)
		}
		buf := make([]byte, 10)
		n, fds, err := b.RecvFDs(&o.Scope, buf, 2)
		if string(buf[:n]) != "data" || len(fds) != 2 || err != nil {
			t.Fatalf("%q, %v, %v", buf[:n], fds, err)
		}
		for i, want := range []string{"one", "two"} {
			if !notInherited(t, fds[i]) {
				t.Error("it is not closed on exec")
			}
			f := os.NewFile(uintptr(fds[i]), "")
			text, err := io.ReadAll(f)
			if string(text) != want || err != nil {
				t.Errorf("%q, %v", text, err)
			}
			check(t, f.Close())
		}
		// None at all is no error, and neither is an empty message that is one.
		_, err = a.SendFDs(&o.Scope, []byte("none"))
		check(t, err)
		if n, fds, err = b.RecvFDs(&o.Scope, buf, 2); n != 4 || len(fds) != 0 || err != nil {
			t.Errorf("%d, %v, %v", n, fds, err)
		}
		if typ != socket.SOCK_STREAM {
			_, err = a.SendFDs(&o.Scope, nil, int(one.Fd()))
			check(t, err)
			n, fds, err = b.RecvFDs(&o.Scope, buf, 1)
			if n != 0 || len(fds) != 1 || err != nil {
				t.Fatalf("%d, %v, %v", n, fds, err)
			}
			check(t, syscall.Close(fds[0]))
		}
		if typ != socket.SOCK_DGRAM {
			check(t, a.Close())
			if n, fds, err = b.RecvFDs(&o.Scope, buf, 1); n != 0 || fds != nil || err != io.EOF {
				t.Errorf("%d, %v, %v", n, fds, err)
			}
		}
	}
}

// More than were expected, or than there was room for, are closed.
func TestTooManyDescriptors(t *testing.T) {
	a, b := unixPair(t)
	f := file(t, "")
	ctx, buf := context.Background(), make([]byte, 10)
	before := len(descriptors())
	fit := (socket.ControlSpace(4) - socket.ControlSpace(0)) / 4 // one, and another in the padding
	for _, most := range []int{0, 1, 2, 100} {
		fds := slices.Repeat([]int{int(f.Fd())}, most+1)
		_, err := a.SendFDs(ctx, []byte("data"), fds...)
		check(t, err)
		n, got, err := b.RecvFDs(ctx, buf, most)
		want(t, err, syscall.EMSGSIZE)
		if n != 4 || got != nil || !strings.Contains(err.Error(), "at most") {
			t.Errorf("%d, %v, %v", n, got, err)
		}
		if after := len(descriptors()); after != before {
			t.Errorf("%d descriptors, and %d before", after, before)
		}

		// The same by hand. The system closes what it has no room for.
		_, err = a.SendFDs(ctx, []byte("data"), fds...)
		check(t, err)
		m := socket.Message{Buffers: [][]byte{buf}, Control: make([]byte, socket.ControlSpace(4))}
		n, err = b.RecvMsg(ctx, &m, 0)
		check(t, err)
		parsed, err := socket.ParseControl(m.Control[:m.ControlN])
		check(t, err)
		for _, c := range parsed {
			for _, fd := range c.Rights() {
				check(t, syscall.Close(fd))
			}
		}
		if n != 4 || (m.Flags&socket.MSG_CTRUNC != 0) != (most+1 > fit) {
			t.Errorf("most %d: %d, flags %#x", most, n, m.Flags)
		}

		// Nor does one leak for whom nobody asks.
		_, err = a.SendFDs(ctx, []byte("data"), fds...)
		check(t, err)
		empty(t, b, 1)
		if after := len(descriptors()); after != before && runtime.GOOS == "linux" {
			t.Errorf("%d descriptors, and %d before", after, before)
		}
	}
}

// A process that has room for some only gets none.
func TestNoRoomForDescriptors(t *testing.T) {
	a, b := unixPair(t)
	f := file(t, "")
	_, err := a.SendFDs(context.Background(), []byte("data"), slices.Repeat([]int{int(f.Fd())}, 20)...)
	check(t, err)
	before := len(descriptors())
	next, err := syscall.Dup(int(f.Fd()))
	check(t, err)
	check(t, syscall.Close(next))
	var limit syscall.Rlimit
	check(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	narrow := limit
	narrow.Cur = 0
	for range next + 10 {
		narrow.Cur++ // its type depends on the system
	}
	check(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &narrow))
	n, fds, failed := b.RecvFDs(context.Background(), make([]byte, 10), 100)
	check(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
	want(t, failed, syscall.EMFILE)
	if after := len(descriptors()); n != 4 || fds != nil || after != before {
		t.Errorf("%d, %v, %d descriptors, and %d before", n, fds, after, before)
	}
}

const pythonDescriptors = `
import array, os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
s.connect(sys.argv[1])
data, ancillary, flags, addr = s.recvmsg(100, socket.CMSG_SPACE(8))
fds = array.array("i")
for level, kind, more in ancillary:
    assert (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS)
    fds.frombytes(more)
for fd in fds:
    os.write(fd, b"python was here, with " + data)
r, w = os.pipe()
os.write(w, b"from python")
s.sendmsg([b"two ", b"parts"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [r, w]))])
`

// Another program takes descriptors, and gives some.
func TestDescriptorsAndPython(t *testing.T) {
	testutil.Need(t, "python3")
	l := openOf(t, socket.AF_UNIX, socket.SOCK_STREAM)
	name := filepath.Join(filepath.Dir(unixgram(t).LocalAddr().String()), "python")
	check(t, l.Bind(unixAddr(name)))
	check(t, l.Listen(0))
	output := file(t, "")
	_, join := in(t, func(ctx context.Context) error {
		s, err := l.Accept(ctx)
		if err != nil {
			return err
		}
		defer s.Close()
		if _, err = s.SendFDs(ctx, []byte("data"), int(output.Fd())); err != nil {
			return err
		}
		buf := make([]byte, 100)
		n, fds, err := s.RecvFDs(ctx, buf, 2)
		if err != nil {
			return err
		}
		for _, fd := range fds {
			defer syscall.Close(fd)
		}
		if string(buf[:n]) != "two parts" || len(fds) != 2 {
			t.Errorf("%q, %v", buf[:n], fds)
		}
		n, err = syscall.Read(fds[0], buf)
		if string(buf[:n]) != "from python" {
			t.Errorf("%q", buf[:n])
		}
		return err
	})
	out, err := testutil.Command(t, "python3", "-c", pythonDescriptors, name).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	check(t, join())
	text, err := os.ReadFile(output.Name())
	if string(text) != "python was here, with data" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
}
