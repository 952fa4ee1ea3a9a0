package network

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"syscall"

	"github.com/curio-go/curio/socket"
)

// A Listener accepts connections, and knows how they are to be served. Listeners come
// from ListenTCP and ListenUnix, from NewListener and from FromListener. It is safe for
// concurrent use.
type Listener struct {
	// Set at birth.
	socket *socket.Socket // nil if it is somebody else's net.Listener
	config ServerConfig
	file   os.FileInfo // that of the Unix socket, if there is one to remove

	removing sync.Once
}

// NewListener makes a Listener of a socket that listens already, and takes it over. A
// nil config is the default. NewListener panics if config says how to listen, for that
// comes too late.
func NewListener(s *socket.Socket, config *ServerConfig) *Listener {
	l := &Listener{socket: s}
	if config != nil {
		config.mustNotListen("NewListener")
		l.config = *config
	}
	return l
}

// Accept waits for a connection and returns it.
func (l *Listener) Accept(ctx context.Context) (Conn, error) {
	conn, err := l.socket.Accept(ctx)
	if err != nil {
		return nil, err
	}
	return conn, nil
}

// LocalAddr is the address that it listens on.
func (l *Listener) LocalAddr() net.Addr { return l.socket.LocalAddr() }

// Close stops listening. Whoever is in Accept gets net.ErrClosed, and so does a second
// Close.
func (l *Listener) Close() error {
	l.removing.Do(l.removeFile) // before the name is free for others
	return l.socket.Close()
}

// Socket is the socket that listens, for options and the like; nil if the Listener was
// made of a net.Listener.
func (l *Listener) Socket() *socket.Socket { return l.socket }

// ListenTCP returns a Listener on addr, as TCPServer describes it. Its socket has
// SO_REUSEADDR, unless config says otherwise. It is Curio's tcp_server_socket.
func ListenTCP(ctx context.Context, addr string, config *ServerConfig) (*Listener, error) {
	if config == nil {
		config = new(ServerConfig)
	}
	addrs, err := resolve(ctx, "listen", addr)
	if err != nil {
		return nil, err
	}
	for i, a := range addrs { // prefer IPv4, as package net does
		if a.IP.To4() != nil {
			addrs[0], addrs[i] = addrs[i], addrs[0]
			break
		}
	}
	s, err := listen(addrs[0], config)
	if addrs[0].IP == nil && err != nil && !errors.Is(err, syscall.EADDRINUSE) {
		s, err = listen(&net.TCPAddr{IP: net.IPv4zero, Port: addrs[0].Port}, config) // no IPv6 here
	}
	if err != nil {
		return nil, err
	}
	return &Listener{socket: s, config: *config}, nil
}

func listen(addr *net.TCPAddr, config *ServerConfig) (*socket.Socket, error) {
	s, err := socket.New(familyOf(addr), socket.SOCK_STREAM, 0)
	if err != nil {
		return nil, err
	}
	if !config.NoReuseAddr {
		err = s.SetReuseAddr(true)
	}
	if err == nil && config.ReusePort {
		err = s.SetReusePort(true)
	}
	if err == nil && addr.IP == nil {
		err = s.SetV6Only(false)
	}
	if err == nil {
		err = s.Bind(addr)
	}
	if err == nil {
		err = s.Listen(config.Backlog)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// familyOf is the family of a socket for addr. No address stands for all, and an
// IPv6 socket can take those of IPv4 as well.
func familyOf(addr *net.TCPAddr) int {
	if addr.IP.To4() != nil {
		return socket.AF_INET
	}
	return socket.AF_INET6
}
