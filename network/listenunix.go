package network

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/socket"
)

// ListenUnix returns a Listener on a Unix socket with the given path; on Linux a name that
// begins with "@" is an abstract one, of which no file is made. The file is removed when
// the Listener is closed, if it is still the same.
//
// A file that was left behind by a server that is gone is replaced: that is a socket on
// which a connection is refused. (So does, but on Linux, a server that has no room for more
// in its backlog at the moment.) One that is in use is an error, syscall.EADDRINUSE, and
// so is a file that is no socket. So that two servers that start at the same time do not
// take each other's file for such a one, the directory is locked meanwhile: flock(2). For a
// lock that somebody else holds it waits for 5 s, and then goes on without.
func ListenUnix(ctx context.Context, path string, config *ServerConfig) (*Listener, error) {
	l := newListener(config)
	config = &l.config
	addr := &net.UnixAddr{Name: path, Net: "unix"}
	failed := func(err error) error {
		if op := (*net.OpError)(nil); errors.As(err, &op) {
			return err
		}
		return &net.OpError{Op: "listen", Net: "unix", Addr: addr, Err: err}
	}
	if err := curio.CheckCancellation(ctx); err != nil {
		return nil, failed(err)
	}
	err := refusePath(path)
	if err == nil {
		err = config.refuse(addr)
	}
	if err != nil {
		return nil, failed(err)
	}
	if isAbstract(path) {
		l.socket, err = listenUnix(ctx, addr, config, false)
	} else {
		var unlock func()
		if unlock, err = lockDirectory(ctx, filepath.Dir(path)); err != nil {
			return nil, failed(err)
		}
		defer unlock()
		l.socket, err = listenUnix(ctx, addr, config, true)
		if err == nil {
			l.file, err = os.Lstat(path)
			l.path = absolute(path)
		}
	}
	if err != nil {
		if l.socket != nil {
			l.socket.Close()
		}
		return nil, failed(err)
	}
	return l, nil
}

// refusePath says what is wrong with the path of a Unix socket.
func refusePath(path string) error {
	switch {
	case path == "":
		return misused("missing path")
	case path[0] != '@' && strings.IndexByte(path, 0) >= 0:
		return misused("path with a zero byte")
	}
	return nil
}

func listenUnix(ctx context.Context, addr *net.UnixAddr, config *ServerConfig, file bool) (*socket.Socket, error) {
	s, err := socket.New(socket.AF_UNIX, socket.SOCK_STREAM, 0)
	if err != nil {
		return nil, err
	}
	err = s.Bind(addr)
	if file && errors.Is(err, syscall.EADDRINUSE) && !config.NoReuseAddr {
		if err = removeStale(ctx, addr); err == nil {
			err = s.Bind(addr)
		}
	}
	bound := err == nil
	if bound && file && config.Mode != 0 {
		err = os.Chmod(addr.Name, config.Mode) // nobody can connect before it listens
	}
	if err == nil {
		err = s.Listen(config.Backlog)
	}
	if err != nil {
		s.Close()
		if bound && file {
			os.Remove(addr.Name)
		}
		return nil, err
	}
	return s, nil
}

// removeStale removes the socket file at addr if nobody listens on it, and says why not
// if it does not.
func removeStale(ctx context.Context, addr *net.UnixAddr) error {
	before, err := os.Lstat(addr.Name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case before.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("a file that is no socket is in the way: %w", syscall.EADDRINUSE)
	}
	s, err := socket.New(socket.AF_UNIX, socket.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	defer s.Close()
	expired, err := curio.IgnoreAfter(ctx, probeFor, func(ctx context.Context) error { return s.Connect(ctx, addr) })
	switch {
	case errors.Is(err, curio.ErrCancelled):
		return err
	case expired || !errors.Is(err, syscall.ECONNREFUSED):
		return os.NewSyscallError("bind", syscall.EADDRINUSE)
	}
	if now, err := os.Lstat(addr.Name); err != nil || !os.SameFile(before, now) {
		return os.NewSyscallError("bind", syscall.EADDRINUSE)
	}
	return os.Remove(addr.Name)
}

// probeFor is how long a listener may take to let somebody in whom it need not accept: it
// takes that long only if its queue is full, and then it is alive.
const probeFor = 100 * time.Millisecond

// lockFor is how long to wait for others that listen in the same directory. None of them
// takes much longer than probeFor.
var lockFor = 5 * time.Second

// lockDirectory makes one server at a time listen on a file of the directory. Where the
// directory cannot be opened or locked, or somebody does not let go of it, there is no such
// protection.
func lockDirectory(ctx context.Context, name string) (unlock func(), err error) {
	dir, err := os.Open(name)
	if err != nil {
		return func() {}, nil
	}
	began := curio.Clock(ctx)
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err != syscall.EWOULDBLOCK || curio.Clock(ctx).Sub(began) > lockFor {
			return func() { dir.Close() }, nil
		}
		if err := curio.Sleep(ctx, pause); err != nil {
			dir.Close()
			return nil, err
		}
	}
}

// removeFile removes the file of a Unix socket that was listened on, unless it has been
// replaced.
func (l *Listener) removeFile() {
	if l.file == nil {
		return
	}
	if now, err := os.Lstat(l.path); err == nil && os.SameFile(l.file, now) {
		os.Remove(l.path)
	}
}

// absolute is path wherever the process goes; where it is now cannot always be said. It is
// not cleaned, as that takes no notice of symbolic links.
func absolute(path string) string {
	if wd, err := os.Getwd(); err == nil && !filepath.IsAbs(path) {
		return wd + "/" + path
	}
	return path
}
