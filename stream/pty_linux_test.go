package stream_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"syscall"
	"testing"
	"unsafe"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/internal/wait"
)

// terminal opens a pseudo-terminal: the side of the person who types, and the side of
// the program, in blocking mode or not.
func terminal(t *testing.T, blocking bool) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	control := func(request uintptr, value *int32) {
		_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(rawFd(t, person)), request, uintptr(unsafe.Pointer(value)))
		if errno != 0 {
			t.Fatal(errno)
		}
	}
	var unlocked, number int32
	control(syscall.TIOCSPTLCK, &unlocked)
	control(syscall.TIOCGPTN, &number)
	name := fmt.Sprintf("/dev/pts/%d", number)
	if !blocking {
		program, err = os.OpenFile(name, os.O_RDWR|syscall.O_NOCTTY, 0)
		check(t, err)
		return person, program
	}
	fd, err := syscall.Open(name, syscall.O_RDWR|syscall.O_NOCTTY|syscall.O_CLOEXEC, 0)
	check(t, err)
	return person, os.NewFile(uintptr(fd), name)
}

func TestTerminal(t *testing.T) {
	for _, blocking := range []bool{false, true} {
		t.Run(fmt.Sprintf("blocking=%v", blocking), func(t *testing.T) {
			testutil.NoLeaks(t)
			p, q := terminal(t, blocking)
			person, program := fromFile(t, p), fromFile(t, q)
			for range 2 {
				readLine := func(ctx context.Context) error { _, err := program.ReadLine(ctx); return err }
				want(t, during(t, readLine), wait.ErrTaskCancelled)
			}
			_, err := person.WriteString(background, "hello\n")
			check(t, err)
			line, err := program.ReadLine(background)
			got(t, line, err, "hello\n", nil)
			line, err = person.ReadLine(background) // it is echoed
			got(t, line, err, "hello\r\n", nil)
			_, err = person.WriteString(background, "\x04again\n") // Ctrl-D
			check(t, err)
			line, err = program.ReadLine(background)
			got(t, line, err, "", io.EOF)
			line, err = program.ReadLine(background)
			got(t, line, err, "again\n", nil)
			_, err = program.WriteString(background, "bye\n")
			check(t, err)
			echo, err := person.ReadUntil(background, []byte("bye\r\n"))
			check(t, err)
			if len(echo) < 10 {
				t.Errorf("%q", echo)
			}
		})
	}
}
