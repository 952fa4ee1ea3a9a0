//go:build darwin || freebsd

package private

import (
	"context"
	"net"
	"os"
	"syscall"
)

// listen sets the mode between bind(2) and listen(2): until then every connection is refused.
func listen(ctx context.Context, path string) (*net.UnixListener, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	syscall.ForkLock.RLock()
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	file := os.NewFile(uintptr(fd), path)
	defer file.Close() // net works with a copy of the descriptor
	if err := syscall.Bind(fd, &syscall.SockaddrUnix{Name: path}); err != nil {
		return nil, os.NewSyscallError("bind", err)
	}
	l, err := begin(fd, path, file)
	if err != nil {
		os.Remove(path)
		return nil, err
	}
	return l, nil
}

func begin(fd int, path string, file *os.File) (*net.UnixListener, error) {
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, err
	}
	if err := syscall.Listen(fd, 64); err != nil {
		return nil, os.NewSyscallError("listen", err)
	}
	l, err := net.FileListener(file)
	if err != nil {
		return nil, err
	}
	return l.(*net.UnixListener), nil
}

// IsOwn reports whether the process that has made the connection belongs to this user or to the superuser. Here the mode
// of the socket's file decides: the system checks it for each connection, unless somebody has changed it.
func (l *Listener) IsOwn(*net.UnixConn) bool {
	now, err := os.Lstat(l.path)
	return err == nil && now.Mode().Perm()&0o077 == 0
}
