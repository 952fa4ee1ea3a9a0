package file

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/curio-go/curio/internal/disk"
	"github.com/curio-go/curio/internal/poll"
	"github.com/curio-go/curio/internal/wait"
)

// Open opens a file for reading. Cancellation and errors are as for [OpenFile].
func Open(ctx context.Context, name string) (*File, error) {
	return OpenFile(ctx, name, os.O_RDONLY, 0)
}

// Create opens a file for reading and writing, and creates it with mode 0666, before umask, or
// truncates it. Cancellation and errors are as for [OpenFile].
func Create(ctx context.Context, name string) (*File, error) {
	return OpenFile(ctx, name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666)
}

// OpenFile opens a file with the flags of package os, such as os.O_RDWR: open(2). If flag has
// os.O_CREATE, it creates the file with mode perm, before umask.
//
// If ctx is done first, OpenFile returns an error that wraps ctx's error and leaves nothing open: a
// descriptor that arrives too late is closed. With os.O_CREATE or os.O_TRUNC the error also matches
// ErrOutcomeUnknown, if the system was executing the call. Errors are of type [*os.PathError], and
// errors.Is finds the same errors as with package os.
//
// Opening a FIFO for reading does not wait; the first Read waits until a writer has opened the
// FIFO, and does not report an end before that. Opening a FIFO for writing waits for a reader, as
// open(2) does. No event reports a reader, so OpenFile tries again, with pauses of up to 100 ms, in
// the state TIME_SLEEP. With syscall.O_NONBLOCK in flag it does not wait, and the error is
// syscall.ENXIO. Terminals, sockets and similar files are opened in non-blocking mode, which
// affects only this descriptor.
//
// A task that waits is in the state FILE_CALL.
func OpenFile(ctx context.Context, name string, flag int, perm os.FileMode) (*File, error) {
	if f, ok, err := openCached(ctx, name, flag); ok {
		return f, err
	}
	return openBy(ctx, name, flag, opener{
		dev:  func() *device { return deviceOfPath(name) },
		open: func(flag int) (*File, error) { return openSystem(name, flag, perm) },
		stat: func() (os.FileInfo, error) { return os.Stat(name) },
	})
}

// openSystem is open(2).
func openSystem(name string, flag int, perm os.FileMode) (*File, error) {
	if runtime.GOOS != "linux" { // package os knows what is different there
		file, err := os.OpenFile(name, flag, perm)
		if err != nil {
			return nil, err
		}
		return newFile(file, name, flag)
	}
	fd, err := openDescriptor(name, flag, perm)
	if err != nil {
		return nil, failed("open", name, err, false)
	}
	return adopt(fd, name, flag, nil)
}

func openDescriptor(name string, flag int, perm os.FileMode) (fd int, err error) {
	err = again(func() (err error) {
		fd, err = syscall.Open(name, flag|syscall.O_CLOEXEC, systemMode(perm))
		return err
	})
	if err != nil {
		return -1, err
	}
	return aboveStdio(fd)
}

// openUnpolled is os.OpenFile for what only workers use. The runtime's poller does not get it, for the
// reasons that are told at adopt.
func openUnpolled(name string, flag int, perm os.FileMode) (*os.File, error) {
	if runtime.GOOS != "linux" {
		return os.OpenFile(name, flag, perm)
	}
	fd, err := openDescriptor(name, flag, perm)
	if err == nil && flag&syscall.O_NONBLOCK != 0 {
		if err = syscall.SetNonblock(fd, false); err != nil {
			syscall.Close(fd)
		}
	}
	if err != nil {
		return nil, failed("open", name, err, false)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// systemMode is a mode as open(2) has it.
func systemMode(perm os.FileMode) (mode uint32) {
	mode = uint32(perm.Perm())
	if perm&os.ModeSetuid != 0 {
		mode |= syscall.S_ISUID
	}
	if perm&os.ModeSetgid != 0 {
		mode |= syscall.S_ISGID
	}
	if perm&os.ModeSticky != 0 {
		mode |= syscall.S_ISVTX
	}
	return mode
}

// openCached opens a file if that waits for nothing. ok is false if it has to be opened in the usual
// way.
func openCached(ctx context.Context, name string, flag int) (f *File, ok bool, err error) {
	class, ok := cachedClass(name)
	if !ok {
		return nil, false, nil
	}
	if _, err := wait.At(ctx); err != nil {
		return nil, true, failed("open", name, err, false)
	}
	fd, ok := disk.OpenCached(name, flag|syscall.O_NONBLOCK)
	if !ok {
		return nil, false, nil
	}
	if fd, err = aboveStdio(fd); err != nil {
		return nil, true, failed("open", name, err, false)
	}
	f, err = adopt(fd, name, flag, &class)
	return f, true, err
}

// cachedClass returns the class of the file system that name is in. ok is false if it is one that may
// ask a server when a file is opened, or if it is not known for sure: behind ".." it is not.
func cachedClass(name string) (class disk.Class, ok bool) {
	if strings.Contains(name, "..") || name == "" {
		return 0, false
	}
	path, ok := absolute(name)
	if !ok {
		return 0, false
	}
	m, ok := disk.MountOf(path)
	return m.Class(), ok && m.Class() != disk.Other
}

// aboveStdio gives a new descriptor another number if it has the number of a standard stream that
// is closed.
func aboveStdio(fd int) (int, error) {
	if fd > 2 {
		return fd, nil
	}
	n, err := poll.Dup(fd)
	syscall.Close(fd)
	return n, err
}

// An opener is a way to open a certain file.
type opener struct {
	dev  func() *device
	open func(flag int) (*File, error)
	stat func() (os.FileInfo, error)
}

// errNoReader is what a worker says of a FIFO that nobody reads.
var errNoReader = errors.New("internal error: a FIFO that nobody reads")

func openBy(ctx context.Context, name string, flag int, o opener) (*File, error) {
	pause := wait.Pause{First: time.Millisecond, Most: 100 * time.Millisecond}
	changes := flag&(os.O_CREATE|os.O_TRUNC) != 0
	for {
		var become fate
		f, err := at(ctx, func(_ context.Context, p wait.Place) (f *File, err error) {
			f, become, err = inWorker(p, o.dev(), nil, "open", name, func() (*File, error) { return openNow(flag, o) }, closeFile)
			return f, err
		})
		if err == errNoReader {
			err = pause.Sleep(ctx)
			if err == nil {
				continue
			}
		}
		if err != nil {
			return nil, failed("open", name, err, changes && become == runsOn)
		}
		return f, nil
	}
}

func closeFile(f *File, _ error) { _ = f.dispose() }

// openNow opens in a worker. It does not wait for the other side of a FIFO, nor for the carrier of a
// terminal.
func openNow(flag int, o opener) (*File, error) {
	f, err := o.open(flag | syscall.O_NONBLOCK)
	switch {
	case err == nil || flag&syscall.O_NONBLOCK != 0:
	case errors.Is(err, syscall.EAGAIN):
		// Somebody has a lease on a regular file and is told to give it back: that takes a moment.
		if info, failure := o.stat(); failure == nil && info.Mode().IsRegular() {
			return o.open(flag)
		}
	case errors.Is(err, syscall.ENXIO):
		if info, failure := o.stat(); failure == nil && info.Mode()&fs.ModeNamedPipe != 0 {
			return nil, errNoReader
		}
	}
	return f, err
}
