package private

import (
	"context"
	"net"
	"os"
	"syscall"
)

// listen makes the socket private before it has a name: a file that bind(2) makes gets the mode of the socket itself, less
// the umask. A chmod(2) afterwards would come too late, as net listens at once, and would follow a symbolic link.
func listen(ctx context.Context, path string) (*net.UnixListener, error) {
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		if e := c.Control(func(fd uintptr) { err = os.NewSyscallError("fchmod", syscall.Fchmod(int(fd), 0o600)) }); e != nil {
			return e
		}
		return err
	}}
	l, err := config.Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	return l.(*net.UnixListener), nil
}

// IsOwn reports whether the process that has made the connection belongs to this user or to the superuser. It goes by the
// user that the process had when it connected (SO_PEERCRED), as the file's mode may have been changed since.
func (l *Listener) IsOwn(conn *net.UnixConn) bool {
	raw, err := conn.SyscallConn()
	if err != nil {
		return false
	}
	var peer *syscall.Ucred
	e := raw.Control(func(fd uintptr) {
		peer, err = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	return e == nil && err == nil && (peer.Uid == 0 || int(peer.Uid) == os.Geteuid())
}
