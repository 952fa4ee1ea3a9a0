package private

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A Listener is a Unix socket whose file only this user can use. It is net's listener, except that Close removes the file
// only if it is still the one that was made.
type Listener struct {
	*net.UnixListener

	path string
	made fs.FileInfo
	once sync.Once
}

// Listen makes a socket at path, with mode 0600 from the beginning. What stands in the way is left alone, with an error,
// unless it is a socket on which nobody listens: a process that was killed has left it behind. If somebody does listen on
// it, the error is syscall.EADDRINUSE.
func Listen(ctx context.Context, path string) (*Listener, error) {
	if err := check(path); err != nil {
		return nil, err
	}
	defer lockDirectory(ctx, filepath.Dir(path))()
	if err := removeStale(ctx, path); err != nil {
		return nil, err
	}
	l, err := listen(ctx, path)
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	made, err := os.Lstat(path)
	if err != nil || made.Mode().Perm()&0o077 != 0 { // a file system without modes, or somebody else has been quick
		l.Close()
		return nil, fmt.Errorf("%s: its mode is not 0600: %w", path, errors.Join(err, fs.ErrPermission))
	}
	return &Listener{UnixListener: l, path: path, made: made}, nil
}

// Close stops listening and removes the file.
func (l *Listener) Close() error {
	l.once.Do(func() {
		if now, err := os.Lstat(l.path); err == nil && same(now, l.made) {
			_ = os.Remove(l.path) // if it cannot be removed, the next process finds it stale
		}
	})
	return l.UnixListener.Close()
}

// check refuses names that package net or the system would take for something else. An abstract name has no mode, so
// every user of the machine could connect to it.
func check(path string) error {
	switch {
	case path == "":
		return errors.New("the path of a Unix socket is empty")
	case path[0] == '@' || strings.IndexByte(path, 0) >= 0:
		return fmt.Errorf("%q is an abstract name, to which every user can connect; use a path", path)
	case len(path) > longestPath:
		return fmt.Errorf("the path of a Unix socket has at most %d bytes, and %s has %d", longestPath, path, len(path))
	}
	return nil
}

// longestPath is one byte less than a socket address has room for.
const longestPath = len(syscall.RawSockaddrUnix{}.Path) - 1

// patience bounds the attempt to connect to a socket that is in the way: somebody may listen and never accept.
const patience = time.Second

// removeStale removes a socket that refuses a connection.
func removeStale(ctx context.Context, path string) error {
	was, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if was.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s exists and is not a socket: %w", path, fs.ErrExist)
	}
	dialer := net.Dialer{Timeout: patience}
	conn, err := dialer.DialContext(ctx, "unix", path)
	if err == nil {
		conn.Close()
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return &net.OpError{Op: "listen", Net: "unix", Addr: &net.UnixAddr{Name: path, Net: "unix"}, Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}
	}
	// If the directory could not be locked, another process may have found the same, and have put its own socket there
	// meanwhile.
	now, err := os.Lstat(path)
	if err == nil && same(now, was) {
		err = os.Remove(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// same reports whether two looks at a path have found the same file. The number of a file that was removed may be given
// to the next one, so the time counts too.
func same(a, b fs.FileInfo) bool { return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) }
