package socket

import "syscall"

// SetsockoptInt sets an option by its number, as the system's manual lists them:
// setsockopt(2).
func (s *Socket) SetsockoptInt(level, name, value int) error {
	return s.control("setsockopt", func(fd int) error { return syscall.SetsockoptInt(fd, level, name, value) })
}

// GetsockoptInt returns an option by its number: getsockopt(2).
func (s *Socket) GetsockoptInt(level, name int) (value int, err error) {
	err = s.control("getsockopt", func(fd int) (err error) {
		value, err = syscall.GetsockoptInt(fd, level, name)
		return err
	})
	return value, err
}

func (s *Socket) setBool(level, name int, on bool) error {
	value := 0
	if on {
		value = 1
	}
	return s.SetsockoptInt(level, name, value)
}

// SetNoDelay sets TCP_NODELAY: what is sent leaves at once, instead of waiting to be
// joined by more. It is on from the beginning.
func (s *Socket) SetNoDelay(on bool) error {
	return s.setBool(syscall.IPPROTO_TCP, syscall.TCP_NODELAY, on)
}

// SetReuseAddr sets SO_REUSEADDR: Bind takes a port on which connections of an earlier
// listener have not run out. It is for before Bind.
func (s *Socket) SetReuseAddr(on bool) error {
	return s.setBool(syscall.SOL_SOCKET, syscall.SO_REUSEADDR, on)
}

// SetReusePort sets SO_REUSEPORT: several sockets may be bound to one port, if all of
// them say so; Linux shares the connections out among them. It is for before Bind.
func (s *Socket) SetReusePort(on bool) error {
	return s.setBool(syscall.SOL_SOCKET, soReusePort, on)
}

// SetKeepAlive sets SO_KEEPALIVE: on an idle connection the system asks now and then
// whether the other side is still there. It is off from the beginning.
func (s *Socket) SetKeepAlive(on bool) error {
	return s.setBool(syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, on)
}

// SetLinger sets SO_LINGER, in seconds: so long at most does Close wait for what was
// sent to arrive. Nothing can cut this wait short, and it holds a thread. With 0,
// Close throws away what has not been sent and resets the connection. With -1, as it
// is from the beginning, the system sends the rest after Close has returned.
func (s *Socket) SetLinger(seconds int) error {
	linger := syscall.Linger{}
	if seconds >= 0 {
		linger = syscall.Linger{Onoff: 1, Linger: int32(seconds)}
	}
	return s.control("setsockopt", func(fd int) error {
		return syscall.SetsockoptLinger(fd, syscall.SOL_SOCKET, soLinger, &linger)
	})
}

// SetRecvBuffer sets SO_RCVBUF: how many bytes the system keeps that have not been
// received. Linux takes twice that much, bookkeeping included, and not less than a
// minimum.
func (s *Socket) SetRecvBuffer(bytes int) error {
	return s.SetsockoptInt(syscall.SOL_SOCKET, syscall.SO_RCVBUF, bytes)
}

// SetSendBuffer sets SO_SNDBUF: how many bytes the system takes that have not arrived.
// Linux takes twice that much, as with SetRecvBuffer.
func (s *Socket) SetSendBuffer(bytes int) error {
	return s.SetsockoptInt(syscall.SOL_SOCKET, syscall.SO_SNDBUF, bytes)
}

// SetV6Only sets IPV6_V6ONLY: whether a socket of AF_INET6 has nothing to do with IPv4.
// What it is from the beginning depends on the system. It is for before Bind.
func (s *Socket) SetV6Only(on bool) error {
	return s.setBool(syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY, on)
}
