package socket_test

import (
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/socket"
)

// A family that is not known here is refused, and the descriptor stays its owner's.
func TestFromFDOtherFamily(t *testing.T) {
	testutil.NoLeaks(t)
	fd, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, syscall.NETLINK_ROUTE)
	check(t, err)
	_, err = socket.FromFD(fd)
	want(t, err, syscall.EAFNOSUPPORT)
	if nonblocking(t, fd) {
		t.Error("it is non-blocking now")
	}
	check(t, syscall.Close(fd))
}
