package network

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/wait"
	"github.com/curio-go/curio/socket"
)

// ListenUnix returns a [Listener] on a Unix socket at path. On Linux, a path that begins with "@"
// is an abstract name, for which no file is created. Closing the Listener removes the file, if it
// is still the same file and SetUnlinkOnClose(false) was not called.
//
// ListenUnix replaces a file that was left behind by a server that has ended: a socket that refuses
// connections. (On systems other than Linux, a server whose backlog is full also refuses
// connections.) If another server listens there, or the file is not a socket, the error wraps
// syscall.EADDRINUSE. Meanwhile ListenUnix locks the directory with flock(2), so that two servers
// that start at the same time do not replace each other's file. If another process holds that lock,
// ListenUnix waits for up to 5 seconds, and then goes on without it.
//
// If ctx is done first, the error wraps ctx's error. Errors are of type [*net.OpError].
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
			l.path, l.unlink = absolute(path), true
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
	case !isAbstract(path) && strings.IndexByte(path, 0) >= 0:
		return misused("path with a zero byte")
	}
	return nil
}

func listenUnix(ctx context.Context, addr *net.UnixAddr, config *ServerConfig, file bool) (*socket.Socket, error) {
	s, err := socket.New(socket.AF_UNIX, socket.SOCK_STREAM, 0)
	if err != nil {
		return nil, err
	}
	listens := false
	defer unlessDone(&listens, s)
	if err := callControl(config.Control, s, "listen", addr); err != nil {
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
		if bound && file {
			os.Remove(addr.Name)
		}
		return nil, err
	}
	listens = true
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
		return fmt.Errorf("a file that is not a socket is in the way: %w", syscall.EADDRINUSE)
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
	pause := wait.Pause{First: time.Millisecond, Most: 50 * time.Millisecond}
	for {
		err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err != syscall.EWOULDBLOCK || curio.Clock(ctx).Sub(began) > lockFor {
			return func() { dir.Close() }, nil
		}
		if err := pause.Sleep(ctx); err != nil {
			dir.Close()
			return nil, err
		}
	}
}

// SetUnlinkOnClose sets whether Close removes the file of a Unix socket, like the method of
// *net.UnixListener. The default is true for a Listener from ListenUnix, and false for one from
// NewListener, as the owner of the socket may want to keep the file. A server that has passed its
// socket to another process, which goes on listening, calls SetUnlinkOnClose(false) before it
// closes the Listener.
//
// Close removes only the file that this Listener is bound to, not another one that has taken its
// place. For a Listener from FromListener, the call is passed on to the net.Listener. It does
// nothing if there is no file.
func (l *Listener) SetUnlinkOnClose(unlink bool) {
	if l.foreign != nil {
		l.foreign.SetUnlinkOnClose(unlink)
		return
	}
	l.unlinking.Lock()
	defer l.unlinking.Unlock()
	l.unlink = unlink
	if unlink && l.file == nil && !l.unlinked {
		l.findFileLocked()
	}
}

// findFileLocked finds the file of a socket that was bound elsewhere.
func (l *Listener) findFileLocked() {
	addr, ok := l.socket.LocalAddr().(*net.UnixAddr)
	if !ok || addr.Name == "" || isAbstract(addr.Name) {
		return
	}
	if file, err := os.Lstat(addr.Name); err == nil && file.Mode().Type() == fs.ModeSocket {
		l.file, l.path = file, absolute(addr.Name)
	}
}

// isAbstract reports whether a socket with that name has no file.
func isAbstract(name string) bool { return runtime.GOOS == "linux" && strings.HasPrefix(name, "@") }

// removeFile removes the file of a Unix socket that was listened on, unless it has been
// replaced. Only the first call does: until the socket is closed it keeps the file's inode
// number from being given to another file, but not after that.
func (l *Listener) removeFile() {
	l.unlinking.Lock()
	defer l.unlinking.Unlock()
	done := l.unlinked
	l.unlinked = true
	if done || l.file == nil || !l.unlink {
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
