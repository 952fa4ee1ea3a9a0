package socket

import (
	"fmt"
	"math"
	"net"
	"os"
	"syscall"

	"github.com/curio-go/curio/internal/poll"
)

// FromFD makes a Socket from a descriptor and takes ownership of it. Use it for a descriptor that a
// C library made, that another process sent, or that Detach returned. FromFD determines the family,
// which must be AF_INET, AF_INET6 or AF_UNIX, and the type. The socket may be connected, listening,
// or new.
//
// After success, fd belongs to the Socket and must not be used any more. The Socket uses a
// descriptor number of its own, and fd's number is free again. The open socket becomes
// non-blocking, also for other processes that share it, and close-on-exec. On a TCP socket, FromFD
// turns on TCP_NODELAY, as New does, and SO_KEEPALIVE, as package network does; if SO_KEEPALIVE was
// already on, its times do not change. To change these settings, set NoDelay and KeepAlive
// afterwards.
//
// After an error, fd still belongs to the caller, open and unchanged. The error wraps
// syscall.ENOTSOCK if fd is not a socket, syscall.EAFNOSUPPORT if its family is not supported, and
// syscall.EBADF if it is not open. For a connection of package net or an os.File, use [FromConn].
func FromFD(fd int) (*Socket, error) {
	s, err := duplicated(fd, "fromfd", true)
	if err != nil {
		return nil, err
	}
	syscall.Close(fd)
	return s, nil
}

// FromConn makes a Socket from another library's connection or listener: a *net.TCPConn,
// *net.UDPConn, *net.UnixConn, *net.TCPListener, *net.UnixListener, an *os.File that is a socket,
// or any other syscall.Conn with a descriptor. It duplicates the descriptor: c still belongs to the
// caller, who may go on using it and must close it. The connection ends when both are closed. The
// Socket does not see data that c has already read into a buffer. FromConn sets options as FromFD
// does, unless c is a Socket or has a SetNoDelay method, such as *net.TCPConn: those already have
// TCP_NODELAY set as their owner wants it.
//
// A *net.UnixListener removes its path from the file system when it is closed. If the Socket is to
// keep listening there, call SetUnlinkOnClose(false) on the listener first.
//
// The Socket and c share one blocking mode, which becomes non-blocking. An os.File made from a
// blocking descriptor then no longer works as before. The Fd method of the os.File that
// net.TCPConn's File method returns makes both blocking, and must not be called.
//
// The errors are FromFD's. FromConn panics if c is nil.
func FromConn(c syscall.Conn) (*Socket, error) {
	if c == nil {
		panic("curio/socket: FromConn of nil; pass a connection, a listener or an open file")
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, adoptFailed("fromconn", 0, 0, "", err)
	}
	var s *Socket
	var failed error
	foreign := true
	switch c.(type) {
	case interface{ SetNoDelay(bool) error }, *Socket:
		foreign = false
	}
	if err := raw.Control(func(fd uintptr) { s, failed = duplicated(int(fd), "fromconn", foreign) }); err != nil {
		if _, file := c.(*os.File); file {
			err = os.ErrClosed // package os has an error of its own here
		}
		return nil, adoptFailed("fromconn", 0, 0, "", err)
	}
	if twin, ok := c.(*Socket); ok && s != nil {
		s.adopted = twin.adopted
		twin.shared.Store(true)
	}
	return s, failed
}

// duplicated makes a Socket of a duplicate of fd. fd stays as it is, except for its
// blocking mode and, if foreign is true, its options. It has to be a duplicate, as poll.New
// closes a descriptor that it cannot use.
func duplicated(fd int, op string, foreign bool) (*Socket, error) {
	if !poll.IsFD(fd) {
		return nil, adoptFailed(op, 0, 0, "getsockopt", fmt.Errorf("fd %d: %w", fd, syscall.EBADF))
	}
	family, typ, call, err := kindOf(fd)
	if err != nil {
		return nil, adoptFailed(op, family, typ, call, err)
	}
	sysfd, err := poll.Dup(fd)
	if err != nil {
		return nil, adoptFailed(op, family, typ, "fcntl", err)
	}
	if err := syscall.SetNonblock(sysfd, true); err != nil {
		syscall.Close(sysfd)
		return nil, adoptFailed(op, family, typ, "fcntl", err)
	}
	s, err := own(sysfd, family, typ, op)
	if err != nil {
		return nil, err
	}
	s.shared.Store(true)
	if foreign && s.network() == "tcp" {
		poll.AdoptTCP(sysfd)
		s.adopted = true
	}
	s.remember(sysfd) // after a reset by the peer, the system no longer knows its address
	return s, nil
}

// kindOf asks what kind of socket fd is. call is the system call that failed.
func kindOf(fd int) (family, typ int, call string, err error) {
	if fd < 0 || fd > math.MaxInt32 { // the system would truncate it to some other number
		return 0, 0, "getsockopt", syscall.EBADF
	}
	typ, err = syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_TYPE)
	if err != nil {
		return 0, 0, "getsockopt", err
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		return 0, 0, "getsockname", err
	}
	switch name.(type) {
	case *syscall.SockaddrInet4:
		return AF_INET, typ, "", nil
	case *syscall.SockaddrInet6:
		return AF_INET6, typ, "", nil
	case *syscall.SockaddrUnix:
		return AF_UNIX, typ, "", nil
	}
	return 0, 0, "getsockname", syscall.EAFNOSUPPORT
}

// adoptFailed is for when there is no Socket yet.
func adoptFailed(op string, family, typ int, call string, err error) error {
	network := networkOf(family, typ)
	if network == "" {
		network = "socket"
	}
	if call != "" {
		err = os.NewSyscallError(call, err)
	}
	return &net.OpError{Op: op, Net: network, Err: err}
}
