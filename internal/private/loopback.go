package private

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

// An OpenError is an address that other machines can reach.
type OpenError string

func (e OpenError) Error() string {
	return fmt.Sprintf("%s can be reached from other machines", string(e))
}

// ListenLoopback listens on a TCP address of loopback. It goes by the address that the socket really gets, and not by the
// text, which may be a name: package net tells it before the socket is bound. The error for another one is an OpenError.
func ListenLoopback(ctx context.Context, addr string) (net.Listener, error) {
	config := net.ListenConfig{Control: func(_, resolved string, _ syscall.RawConn) error {
		if a, err := netip.ParseAddrPort(resolved); err != nil || !a.Addr().Unmap().IsLoopback() {
			return OpenError(resolved)
		}
		return nil
	}}
	config.SetMultipathTCP(false)
	l, err := config.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if a, ok := l.Addr().(*net.TCPAddr); !ok || !a.IP.IsLoopback() {
		l.Close()
		return nil, OpenError(l.Addr().String())
	}
	return l, nil
}

// IsMissing reports whether listening has failed as the machine has no such address, such as ::1 without IPv6.
func IsMissing(err error) bool {
	return errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EPROTONOSUPPORT)
}
