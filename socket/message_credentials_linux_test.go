package socket_test

import (
	"context"
	"os"
	"syscall"
	"testing"

	"github.com/curio-go/curio/socket"
)

func TestCredentials(t *testing.T) {
	self := socket.Credentials{PID: os.Getpid(), UID: os.Getuid(), GID: os.Getgid()}
	a, b := unixPair(t)
	check(t, b.SetsockoptInt(socket.SOL_SOCKET, syscall.SO_PASSCRED, 1))
	f := file(t, "")
	control := socket.AppendControl(nil, self.Control())
	control = socket.AppendControl(control, socket.Rights(int(f.Fd())))
	ctx := context.Background()
	_, err := a.SendMsg(ctx, &socket.Message{Buffers: [][]byte{[]byte("x")}, Control: control}, 0)
	check(t, err)
	m := socket.Message{Buffers: [][]byte{make([]byte, 10)}, Control: make([]byte, 200)}
	_, err = b.RecvMsg(ctx, &m, 0)
	check(t, err)
	parsed, err := socket.ParseControl(m.Control[:m.ControlN])
	check(t, err)
	found, rights := false, 0
	for _, c := range parsed {
		if got, ok := c.Credentials(); ok {
			found = true
			if got != self {
				t.Errorf("%+v, want %+v", got, self)
			}
		}
		for _, fd := range c.Rights() {
			rights++
			check(t, syscall.Close(fd))
		}
	}
	if !found || rights != 1 {
		t.Errorf("%+v", parsed)
	}

	// RecvFDs has room for both, and for a descriptor of the process, which it closes.
	const soPasspidfd = 76
	if err := b.SetsockoptInt(socket.SOL_SOCKET, soPasspidfd, 1); err != nil {
		t.Logf("no SO_PASSPIDFD here: %v", err)
	}
	before := len(descriptors())
	_, err = a.SendFDs(ctx, []byte("x"), int(f.Fd()))
	check(t, err)
	n, fds, err := b.RecvFDs(ctx, make([]byte, 10), 1)
	if n != 1 || len(fds) != 1 || err != nil {
		t.Fatalf("%d, %v, %v", n, fds, err)
	}
	check(t, syscall.Close(fds[0]))
	if after := len(descriptors()); after != before {
		t.Errorf("%d descriptors, and %d before: %v", after, before, descriptors())
	}
}
