package channel

import (
	"context"
	"errors"
	"net"
	"runtime"
	"strings"
	"sync"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/network"
)

// A Listener accepts connections. Listeners come from [Listen] and [NewListener]; the zero value
// cannot be used. A Listener must not be copied. It is safe for concurrent use.
//
// A daemon task of the kernel accepts connections and runs each handshake in a task of its own. A
// slow peer therefore delays no other, and Accept returns only connections whose handshake has
// succeeded. At most Config.Backlog connections are in handshakes or waiting for Accept. If all of
// them are idle in the handshake, the next peer waits until the first has exceeded its
// HandshakeTimeout.
//
// It is the accepting side of Curio's Channel.
type Listener struct {
	// Set at birth.
	below  *network.Listener
	config *Config
	task   *curio.Task[struct{}]

	// A slot is taken before a connection is accepted from below, and given back when Accept returns the
	// connection, or when it has been closed.
	slots *curio.Semaphore
	owner context.Context // the task's, in whose name slots are taken; set before the first one is

	ready curio.Queue[*Conn] // closed at the end

	mu     sync.Mutex
	closed bool
	failed error // why accepting is over, nil after Close
}

// Listen returns a [Listener]. network is "tcp" or "unix", and address a "host:port", where port 0
// means any free port, or the path of a Unix socket. A nil config means the default.
//
// Only this user may connect to a Unix socket, unless Config.Server has a Mode. A file that was
// left behind by a program that has ended is replaced, and Close removes the file: see
// network.ListenUnix. On Linux a path that begins with "@" is an abstract name, which in Python
// begins with a zero byte. Every user of the machine may connect to an abstract name, so use a Key.
//
// ctx applies only to the call: if it is done first, the error wraps ctx's error. The Listener is
// open until Close, or until ctx's kernel shuts down. Errors are of type [*net.OpError]. Listen
// panics if Config.Server is invalid, as network.ListenTCP does.
//
// It is the bind of Curio's Channel. The system calls are socket(2), bind(2) and listen(2).
func Listen(ctx context.Context, network, address string, config *Config) (*Listener, error) {
	config = config.orDefault()
	if err := config.refuse(); err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Err: err}
	}
	below, err := listen(ctx, network, address, config)
	if err != nil {
		return nil, err
	}
	return newListener(ctx, below, config)
}

// NewListener makes a [Listener] from a Listener of package network and takes ownership of it, for
// a socket that another program, such as systemd, has opened. If config is invalid or has a Server,
// the error wraps syscall.EINVAL, and below has been closed. If below has a Grace time, Accept
// fails. NewListener does not wait; ctx selects the kernel. It panics if below is nil.
func NewListener(ctx context.Context, below *network.Listener, config *Config) (*Listener, error) {
	if below == nil {
		panic("channel: NewListener of a nil *network.Listener")
	}
	config = config.orDefault()
	err := config.refuse()
	if err == nil && config.Server != nil {
		err = misused("Config.Server, which is for Listen")
	}
	if err != nil {
		return nil, refused(below, err)
	}
	return newListener(ctx, below, config)
}

// refused closes below and returns the error of that.
func refused(below *network.Listener, err error) error {
	addr := below.LocalAddr()
	_ = below.Close()
	return &net.OpError{Op: "listen", Net: addr.Network(), Addr: addr, Err: err}
}

// listen listens on a socket.
func listen(ctx context.Context, name, address string, config *Config) (*network.Listener, error) {
	var server network.ServerConfig
	if config.Server != nil {
		server = *config.Server
	}
	server.HandshakeTimeout = -1 // ours is for all
	switch name {
	case "tcp":
		return network.ListenTCP(ctx, address, &server)
	case "unix":
		if server.Mode == 0 && !isAbstract(address) {
			server.Mode = socketMode
		}
		return network.ListenUnix(ctx, address, &server)
	}
	return nil, &net.OpError{Op: "listen", Net: name, Err: net.UnknownNetworkError(name)}
}

// isAbstract reports whether a socket with that name has no file.
func isAbstract(name string) bool { return runtime.GOOS == "linux" && strings.HasPrefix(name, "@") }

func newListener(ctx context.Context, below *network.Listener, config *Config) (*Listener, error) {
	l := &Listener{below: below, config: config, slots: curio.NewSemaphore(config.backlog())}
	l.task = curio.Go(ctx, l.run, curio.Daemon(), curio.Name(l.String()))
	if err := l.task.Err(); errors.Is(err, curio.ErrKernelShutdown) {
		return nil, refused(below, err) // run has not been called
	}
	return l, nil
}

// Accept waits for a connection whose handshake has succeeded and returns it. If a peer is refused,
// breaks off, or takes too long, its connection is closed and that is logged at the debug level;
// Accept goes on. It also goes on after temporary errors of accept(2), as a server of package
// network does.
//
// If ctx is done first, Accept returns an error that wraps ctx's error, and no connection is lost.
// After Close, and after the kernel has been shut down, the error wraps net.ErrClosed. If accepting
// has failed for good, Accept returns that error.
//
// It is the accept of Curio's Channel. The system call is accept4(2). A task that waits is in the
// state QUEUE_GET.
func (l *Listener) Accept(ctx context.Context) (*Conn, error) {
	conn, err := l.ready.Get(ctx)
	if err == nil {
		l.release()
		return conn, nil
	}
	if errors.Is(err, curio.ErrQueueClosed) {
		err = l.why()
	}
	addr := l.LocalAddr()
	return nil, &net.OpError{Op: "accept", Net: addr.Network(), Addr: addr, Err: causeOf(err)}
}

func (l *Listener) why() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed != nil {
		return l.failed
	}
	return net.ErrClosed
}

// Close stops listening and closes the connections that Accept has not returned. Accept calls in
// progress fail with net.ErrClosed. Close cancels the tasks of handshakes, and does not wait for
// them. A second Close does nothing.
func (l *Listener) Close() error {
	err := l.close(nil)
	l.task.CancelNow()
	return err
}

// close is Close without the end of the task. why is why accepting is over, nil if the user wants it.
func (l *Listener) close(why error) error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed, l.failed = true, why
	l.mu.Unlock()
	err := l.below.Close()
	l.ready.Close() // from now on nothing is put in
	for {
		conn, empty := l.ready.TryGet()
		if empty != nil {
			return err
		}
		_ = conn.Close()
		l.release()
	}
}

// LocalAddr returns the address that l listens on.
func (l *Listener) LocalAddr() net.Addr { return l.below.LocalAddr() }

// String returns the network and the address that l listens on.
func (l *Listener) String() string { return "channel on " + l.below.String() }
