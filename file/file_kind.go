package file

import (
	"errors"
	"os"
	"syscall"

	"github.com/curio-go/curio/internal/disk"
	"github.com/curio-go/curio/internal/poll"
)

// How a file is read: see File.access.
const (
	direct  int32 = iota // by the caller itself, as there is no device that it could wait for
	noWait               // by the caller itself, if the page cache has it; otherwise by a worker
	handOff              // by a worker, as the file system does not say what it has
)

func (f *File) stat() (st syscall.Stat_t, err error) {
	err = again(func() error { return syscall.Fstat(f.fd, &st) })
	return st, err
}

// isPlain reports whether st is about a regular file or a folder.
func isPlain(st *syscall.Stat_t) bool {
	typ := uint32(st.Mode) & syscall.S_IFMT
	return typ == syscall.S_IFREG || typ == syscall.S_IFDIR
}

// setClass decides how f is read. known is the class of its file system, nil if it has to be found out.
func (f *File) setClass(st *syscall.Stat_t, known *disk.Class) {
	f.dev = deviceOf(uint64(st.Dev))
	f.access.Store(noWait)
	if !isPlain(st) {
		return
	}
	var class disk.Class
	if known != nil {
		class = *known
	} else if listed, ok := disk.ClassOf(uint64(st.Dev)); ok {
		class = listed
	} else {
		class = disk.AskClass(f.fd)
	}
	f.local = class != disk.Other
	if class == disk.Memory {
		f.access.Store(direct)
	}
}

// look finds out what kind of file f is, whose class has been set.
func (f *File) look(st *syscall.Stat_t, flag int) error {
	f.appends = flag&os.O_APPEND != 0
	f.writes = flag&(os.O_WRONLY|os.O_RDWR) != 0
	f.kind = kindOf(uint32(st.Mode), flag)
	f.seekable = true
	switch {
	case !isPlain(st):
		return f.lookAtDevice(uint32(st.Mode))
	case f.kind == kindPlain && (!f.local || f.access.Load() == direct):
		f.seekable = f.seeks()
	}
	return nil
}

func kindOf(mode uint32, flag int) kind {
	switch mode & syscall.S_IFMT {
	case syscall.S_IFDIR:
		return kindFolder
	case syscall.S_IFIFO:
		if flag&(os.O_WRONLY|os.O_RDWR) == 0 {
			return kindFIFO
		}
		return kindStream
	case syscall.S_IFCHR, syscall.S_IFSOCK:
		return kindStream
	}
	return kindPlain
}

// lookAtDevice is for what is neither a regular file nor a folder.
func (f *File) lookAtDevice(mode uint32) error {
	if mode&syscall.S_IFMT == syscall.S_IFBLK {
		return nil
	}
	pipe, err := poll.DuplicateFile(f.file)
	switch {
	case err == nil:
		pipe.SetObject(f)
		f.pipe, f.seekable = pipe, false
	case errors.Is(err, poll.ErrNotPollable): // as /dev/null is
		f.kind, f.seekable = kindPlain, f.seeks()
		f.access.Store(handOff)
	default:
		return err
	}
	return nil
}

// seeks reports whether the file has offsets: not if it is one such as trace_pipe, or a stream of a
// FUSE daemon. It asks no server.
func (f *File) seeks() bool {
	_, err := syscall.Seek(f.fd, 0, 1)
	return err == nil
}

// again makes a system call again for as long as a signal interrupts it: on FUSE and CIFS the runtime's
// own signals interrupt any call.
func again(call func() error) error {
	for {
		if err := call(); err == nil || !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
