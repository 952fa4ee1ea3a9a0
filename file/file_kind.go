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

// look finds out what kind of file f is, whose descriptor is open. known is the class of its file system, nil if it has
// to be found out.
func (f *File) look(flag int, known *disk.Class) error {
	var st syscall.Stat_t
	if err := again(func() error { return syscall.Fstat(f.fd, &st) }); err != nil {
		return err
	}
	f.dev = deviceOf(uint64(st.Dev))
	f.kind = kindOf(uint32(st.Mode), flag)
	f.seekable = true
	if f.kind != folder && uint32(st.Mode)&syscall.S_IFMT != syscall.S_IFREG {
		return f.lookAtDevice(uint32(st.Mode))
	}
	class := f.classOf(uint64(st.Dev), known)
	f.local = class != disk.Other
	switch {
	case class == disk.Memory:
		f.access.Store(direct)
	default:
		f.access.Store(noWait)
	}
	if class != disk.Local && f.kind == ordinary {
		f.seekable = f.seeks()
	}
	return nil
}

func kindOf(mode uint32, flag int) kind {
	switch mode & syscall.S_IFMT {
	case syscall.S_IFDIR:
		return folder
	case syscall.S_IFIFO:
		if flag&(os.O_WRONLY|os.O_RDWR) == 0 {
			return fifo
		}
		return stream
	case syscall.S_IFCHR, syscall.S_IFSOCK:
		return stream
	}
	return ordinary
}

// lookAtDevice is for what is neither a regular file nor a folder.
func (f *File) lookAtDevice(mode uint32) error {
	f.access.Store(noWait)
	if mode&syscall.S_IFMT == syscall.S_IFBLK {
		return nil
	}
	pipe, err := poll.DuplicateFile(f.file)
	switch {
	case err == nil:
		pipe.SetObject(f)
		f.pipe, f.seekable = pipe, false
	case errors.Is(err, poll.ErrNotPollable): // as /dev/null is
		f.kind, f.seekable = ordinary, f.seeks()
		f.access.Store(handOff)
	default:
		return err
	}
	return nil
}

// seeks reports whether the file has offsets: not if it is one such as trace_pipe, or a stream of a FUSE daemon. It asks no
// server.
func (f *File) seeks() bool {
	_, err := syscall.Seek(f.fd, 0, 1)
	return err == nil
}

func (f *File) classOf(dev uint64, known *disk.Class) disk.Class {
	if known != nil {
		return *known
	}
	if class, ok := disk.ClassOf(dev); ok {
		return class
	}
	return disk.AskClass(f.fd)
}

// again makes a system call again for as long as a signal interrupts it.
func again(call func() error) error {
	for {
		if err := call(); err != syscall.EINTR {
			return err
		}
	}
}
