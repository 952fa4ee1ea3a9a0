package monitor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/curio-go/curio/internal/private"
)

// listen returns the listeners for an address, and the address as others can use it.
func listen(addr string) ([]net.Listener, string, error) {
	ctx := context.Background()
	if path, ok := socketPath(addr); ok {
		l, err := private.Listen(ctx, path)
		if err != nil {
			return nil, "", fmt.Errorf("curio/monitor: %w", err)
		}
		return []net.Listener{l}, "unix:" + path, nil
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, "", fmt.Errorf("curio/monitor: the address %q is neither a path nor host:port", addr)
	}
	var all []net.Listener
	if strings.EqualFold(host, "localhost") {
		all, err = listenBoth(ctx, port)
	} else {
		var l net.Listener
		l, err = private.ListenLoopback(ctx, addr)
		all = []net.Listener{l}
	}
	var open private.OpenError
	switch {
	case errors.As(err, &open):
		return nil, "", fmt.Errorf("curio/monitor: %w; use a Unix socket, or localhost", err)
	case err != nil:
		return nil, "", fmt.Errorf("curio/monitor: %w", err)
	}
	return all, all[0].Addr().String(), nil
}

// socketPath returns the path of a Unix socket, if addr is one.
func socketPath(addr string) (path string, ok bool) {
	path, ok = strings.CutPrefix(addr, "unix:")
	if !ok && !strings.Contains(addr, "/") {
		return "", false
	}
	return strings.ReplaceAll(path, "%p", strconv.Itoa(os.Getpid())), true
}

// tries is how often a port is looked for that is free for both 127.0.0.1 and ::1.
const tries = 10

// listenBoth listens on 127.0.0.1 and on ::1, or on one of them if the machine has no other.
func listenBoth(ctx context.Context, port string) (all []net.Listener, err error) {
	for range tries {
		four, err4 := private.ListenLoopback(ctx, net.JoinHostPort("127.0.0.1", port))
		its := port
		if err4 == nil {
			its = strconv.Itoa(four.Addr().(*net.TCPAddr).Port)
		}
		six, err6 := private.ListenLoopback(ctx, net.JoinHostPort("::1", its))
		switch {
		case err4 == nil && err6 == nil:
			return []net.Listener{four, six}, nil
		case err4 == nil && private.IsMissing(err6):
			return []net.Listener{four}, nil
		case err6 == nil && private.IsMissing(err4):
			return []net.Listener{six}, nil
		}
		for _, l := range []net.Listener{four, six} {
			if l != nil {
				l.Close()
			}
		}
		if err = errors.Join(err4, err6); port != "0" {
			break
		}
	}
	return nil, err
}

// isOwn reports whether at the other end is this user, or the superuser.
func isOwn(l net.Listener, c net.Conn) bool {
	at, ok := l.(*private.Listener)
	if !ok {
		return false
	}
	unix, ok := c.(*net.UnixConn)
	return ok && at.IsOwn(unix)
}
