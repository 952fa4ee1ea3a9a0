package poll_test

import (
	"errors"
	"os"
	"runtime"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/poll"
	"github.com/curio-go/curio/internal/testutil"
)

// Both ends are in blocking mode, and closed on exec.
func TestPipeForChild(t *testing.T) {
	testutil.NoLeaks(t)
	r, w, err := poll.PipeForChild()
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range []int{r, w} {
		defer syscall.Close(fd)
		if status, descriptor := flags(t, fd); status&syscall.O_NONBLOCK != 0 || descriptor&syscall.FD_CLOEXEC == 0 || fd < 3 {
			t.Errorf("descriptor %d", fd)
		}
	}
	if err := syscall.SetNonblock(r, true); err != nil || nonblocking(t, w) {
		t.Errorf("%v: the ends share their mode", err)
	}
}

// What a child gets for a descriptor: the same, if it is in blocking mode or always ready, otherwise a pipe or
// terminal opened anew. The mode of the original stays.
func TestBlockingForChild(t *testing.T) {
	testutil.NoLeaks(t)
	var pair, sockets [2]int
	if err := syscall.Pipe(pair[:]); err != nil {
		t.Fatal(err)
	}
	sockets, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.CreateTemp(t.TempDir(), "x")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	regular := duplicateOf(t, int(file.Fd()))
	for _, fd := range []int{pair[1], sockets[1], regular} {
		if err := syscall.SetNonblock(fd, true); err != nil {
			t.Fatal(err)
		}
	}
	defer closeAll(pair[0], pair[1], sockets[0], sockets[1], regular)
	for name, test := range map[string]struct {
		fd         int
		same, anew bool
	}{
		"blocking pipe":       {pair[0], true, false},
		"non-blocking pipe":   {pair[1], false, runtime.GOOS == "linux"},
		"blocking socket":     {sockets[0], true, false},
		"non-blocking socket": {sockets[1], false, false},
		"regular file":        {regular, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			before := nonblocking(t, test.fd)
			fd := duplicateOf(t, test.fd)
			got, err := poll.BlockingForChild(fd)
			if err == nil {
				defer syscall.Close(got)
			}
			switch {
			case !test.same && !test.anew:
				if !errors.Is(err, errors.ErrUnsupported) {
					t.Errorf("%d, %v", got, err)
				}
			case err != nil || test.same != (got == fd) || test.anew && nonblocking(t, got):
				t.Errorf("%d for %d, %v", got, fd, err)
			}
			if nonblocking(t, test.fd) != before {
				t.Error("the mode of the original has changed")
			}
		})
	}
	if _, err := poll.BlockingForChild(1 << 20); !errors.Is(err, syscall.EBADF) {
		t.Errorf("%v", err)
	}
}

// The other side of a pseudo-terminal is not opened anew, as that would be another terminal.
func TestBlockingForChildTerminal(t *testing.T) {
	testutil.NoLeaks(t)
	master, err := syscall.Open("/dev/ptmx", syscall.O_RDWR|syscall.O_NOCTTY|syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	if _, err := poll.BlockingForChild(master); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("%v", err)
	}
}

func duplicateOf(t *testing.T, fd int) int {
	t.Helper()
	d, err := poll.Dup(fd)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func closeAll(fds ...int) {
	for _, fd := range fds {
		syscall.Close(fd)
	}
}
