package poll_test

import (
	"context"
	"errors"
	"os"
	"runtime"
	"slices"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/poll"
	"github.com/curio-go/curio/internal/wait"
)

func newFlag(t testing.TB) *poll.Flag {
	t.Helper()
	f, err := poll.NewFlag()
	check(t, err)
	return f
}

// isReadable reports whether poll(2) finds fd readable now: if not, a task that waits for
// that parks.
func isReadable(t testing.TB, fd int) bool {
	t.Helper()
	done := make(chan error, 1)
	o := newTask(t)
	go func() { done <- poll.WaitFD(&o.Scope, fd, false) }()
	await(t, func() bool { return len(done) > 0 || parked(o)() })
	cancel(o)
	err := <-done
	if err != nil {
		want(t, err, wait.ErrTaskCancelled)
	}
	return err == nil
}

// Q18: readable while it is raised, however often that was.
func TestFlag(t *testing.T) {
	before := descriptors()
	f := newFlag(t)
	look := func(what string, want bool) {
		t.Helper()
		if got := isReadable(t, f.FD()); got != want {
			t.Errorf("%s: readable is %v", what, got)
		}
	}
	look("new", false)
	f.Lower()
	look("new, and lowered", false)
	for range 2 {
		f.Raise()
		look("raised", true)
		look("looked at", true)
		f.Raise()
		look("raised twice", true)
		f.Lower()
		look("lowered", false)
		f.Lower()
		look("lowered twice", false)
	}
	fd := f.FD()
	f.Close()
	if now := descriptors(); now != before {
		t.Errorf("%d descriptors, were %d", now, before)
	}
	want(t, poll.WaitFD(context.Background(), fd, false), syscall.EBADF)
}

// Q19: raised more often than there is room in a pipe, it neither blocks nor stays
// readable when it is lowered.
func TestFlagOften(t *testing.T) {
	f := newFlag(t)
	defer f.Close()
	for range 200_000 {
		f.Raise()
	}
	if !isReadable(t, f.FD()) {
		t.Error("not readable")
	}
	f.Lower()
	if isReadable(t, f.FD()) {
		t.Error("readable after it was lowered")
	}
}

// Q19: that somebody else has read from it is made good by the next Raise.
func TestFlagDrained(t *testing.T) {
	f := newFlag(t)
	defer f.Close()
	f.Raise()
	_, err := syscall.Read(f.FD(), make([]byte, 512))
	check(t, err)
	if isReadable(t, f.FD()) {
		t.Error("readable after it was read from")
	}
	f.Lower()
	f.Raise()
	if !isReadable(t, f.FD()) {
		t.Error("not readable after it was raised again")
	}
}

// A task that waits for it is woken when it is raised.
func TestFlagWakes(t *testing.T) {
	f := newFlag(t)
	defer f.Close()
	o, join := in(t, func(ctx context.Context) error { return poll.WaitFD(ctx, f.FD(), false) })
	await(t, parked(o))
	f.Raise()
	check(t, join())
}

// It is not inherited, and does not block.
func TestFlagMode(t *testing.T) {
	f := newFlag(t)
	defer f.Close()
	status, descriptor := flags(t, f.FD())
	if status&syscall.O_NONBLOCK == 0 {
		t.Errorf("status flags are %#x", status)
	}
	if descriptor&syscall.FD_CLOEXEC == 0 {
		t.Errorf("descriptor flags are %#x", descriptor)
	}
}

// No flag can be raised, lowered and closed.
func TestNilFlag(t *testing.T) {
	before := descriptors()
	var f *poll.Flag
	f.Raise()
	f.Lower()
	f.Close()
	if now := descriptors(); now != before {
		t.Errorf("%d descriptors, were %d", now, before)
	}
}

// One that is garbage is closed; one that was closed is not closed again then, when its
// number is somebody else's.
func TestFlagGarbage(t *testing.T) {
	fds := func() (fds []int) {
		for range 50 {
			fds = append(fds, newFlag(t).FD())
		}
		return fds
	}()
	isOpen := func(fd int) bool {
		var stat syscall.Stat_t
		return syscall.Fstat(fd, &stat) == nil
	}
	await(t, func() bool { runtime.GC(); return !slices.ContainsFunc(fds, isOpen) })

	for range 50 {
		newFlag(t).Close()
	}
	kept := newFlag(t) // has the number of those before
	for range 5 {
		runtime.GC()
	}
	garbage := newFlag(t).FD() // the cleanup of what came later has run when this one's has
	await(t, func() bool { runtime.GC(); return !isOpen(garbage) })
	kept.Raise()
	if !isReadable(t, kept.FD()) {
		t.Error("another flag's descriptor was closed")
	}
	kept.Close()
}

// The error names the call.
func TestFlagWithoutDescriptors(t *testing.T) {
	var f *poll.Flag
	var err error
	withoutDescriptors(t, func() { f, err = poll.NewFlag() })
	if f != nil {
		t.Error("there is a flag")
	}
	want(t, err, syscall.EMFILE)
	var call *os.SyscallError
	if !errors.As(err, &call) || call.Syscall == "" {
		t.Errorf("%v does not name the call", err)
	}
}
