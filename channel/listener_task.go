package channel

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/poll"
	"github.com/curio-go/curio/network"
)

// What a Listener does in the background:
//
//	run ── accepts, one slot each ──► greet, a task for each ── handshake ──► ready ──► Accept
//
// Each connection has one owner at a time, which closes it: greet, until it has put it into ready; close, which
// empties ready when nothing can be put in any more; and the caller of Accept.

// run is the function of a Listener's task. It ends with Close, with the kernel, or when accepting fails for
// good.
func (l *Listener) run(ctx context.Context) error {
	l.owner = ctx
	var failed error
	defer func() { _ = l.close(failed) }()
	_ = curio.Group(ctx, func(ctx context.Context, handshakes *curio.Tasks) error {
		accept := poll.AcceptorOf(l.below)
		for {
			if err := l.slots.Acquire(l.owner); err != nil {
				return err
			}
			conn, err := accept(ctx)
			if err != nil {
				l.release()
				if !errors.Is(err, curio.ErrCancelled) {
					failed = err
				}
				return err
			}
			below := conn.(network.Conn)
			handshakes.Go(func(ctx context.Context) error {
				l.greet(ctx, below)
				return nil
			}, curio.Daemon(), curio.Name("handshake with "+peerOf(below)))
		}
	}, curio.WaitNone)
	return nil
}

// release gives a slot back.
func (l *Listener) release() { l.slots.Release(l.owner) }

// greet does the handshake on a connection, and then has Accept return it, or closes it. What is left to log
// comes last, as a log handler is foreign code.
func (l *Listener) greet(ctx context.Context, below network.Conn) {
	peer := peerOf(below) // while it is open: a closed one has no descriptor
	var err error
	func() {
		taken := false
		defer func() {
			if !taken { // even if Check has panicked
				_ = below.Close()
				l.release()
			}
		}()
		var conn *Conn
		if conn, err = l.open(ctx, below); err == nil {
			taken = l.ready.TryPut(conn) == nil
		}
	}()
	if err != nil && !errors.Is(err, curio.ErrCancelled) {
		l.log(ctx, cmp.Or(addressOf(below), peer), err) // the address is known by now, if there is a proxy
	}
}

// open makes a connection of below, if its peer is welcome.
func (l *Listener) open(ctx context.Context, below network.Conn) (conn *Conn, err error) {
	check := l.config.Check
	if check == nil {
		return Server(ctx, below, l.config)
	}
	err = within(ctx, l.config.patience(), func(ctx context.Context) (err error) { // for the header, too
		if err := readHeader(ctx, below); err != nil {
			return err
		}
		if !check(below.RemoteAddr()) {
			return errUnwelcome
		}
		conn, err = Server(ctx, below, l.config)
		return err
	})
	return conn, err
}

// readHeader reads the header of a proxy, if conn begins with one: before that, its peer is the proxy. It does no
// handshake of TLS, which is above the header.
func readHeader(ctx context.Context, conn network.Conn) error {
	for {
		if _, secured := conn.(*network.TLSConn); !secured {
			if h, ok := conn.(handshaker); ok {
				return h.Handshake(ctx)
			}
		}
		above, ok := conn.(interface{ Below() network.Conn })
		if !ok {
			return nil
		}
		conn = above.Below()
	}
}

var errUnwelcome = errors.New("refused by Config.Check")

// logFor is how long a log handler may hold up the end of a handshake's task.
const logFor = time.Second

// log logs that there was no connection. A log handler is foreign code, which may panic, call runtime.Goexit or
// hang: so it has a goroutine of its own, for which log does not wait long.
func (l *Listener) log(ctx context.Context, peer string, err error) {
	var done curio.Event
	logger := curio.LoggerOf(ctx)
	go func() {
		defer done.Set()
		defer func() { _ = recover() }()
		logger.Log(ctx, slog.LevelDebug, "curio: a connection was not accepted", "peer", peer, "channel", l.String(), "err", err)
	}()
	bound, cancel := curio.WithTimeout(ctx, logFor)
	defer cancel()
	_ = done.Wait(bound)
}

// peerOf names the peer of a connection that has been accepted and not been closed.
func peerOf(conn network.Conn) string {
	if address := addressOf(conn); address != "" {
		return address
	}
	if s := network.SocketOf(conn); s != nil {
		return fmt.Sprintf("fd %d", s.FD()) // a Unix client has no name
	}
	return "unnamed"
}

// addressOf is the address of a connection's peer, "" if it has none.
func addressOf(conn network.Conn) string {
	if addr := conn.RemoteAddr(); addr != nil && addr.String() != "@" {
		return addr.String()
	}
	return ""
}
