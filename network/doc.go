// Package network provides servers and connections whose blocking calls take a context: each call
// can be cancelled, can time out, and can be observed while it waits. Begin with [TCPServer] for a
// server and [OpenConnection] for a client.
//
//	err := network.TCPServer(ctx, "127.0.0.1:25000", func(ctx context.Context, conn network.Conn) error {
//		…
//	}, &network.ServerConfig{MaxConnections: 1000, IdleTimeout: time.Minute})
//
//	conn, err := network.OpenConnection(ctx, "example.org:25000", nil)
//
// Every connection is a [Conn]: a plain socket, a TLS connection, or another layer.
//
// # Servers
//
// [TCPServer] and [UnixServer] listen and serve. [ListenTCP] and [ListenUnix] listen, and
// [RunServer] and [RunServers] serve a [Listener]. A server calls its [Handler] for each connection
// in a task of its own. It runs until its context is done, and when it returns all its handlers
// have returned.
//
// A [ServerConfig] limits how many connections are served at a time, how long each may last or be
// idle, and how long handlers may go on when the server stops. A handler waits for its next request
// with a context of [curio.UntilStop]. A server also stops when the program, or the task that it
// runs in, is asked to stop.
//
// # Clients
//
// [OpenConnection] looks up a name and tries its addresses as RFC 8305, "Happy Eyeballs",
// describes. [OpenUnixConnection] connects to a Unix socket.
//
// # TLS
//
// TLS is package crypto/tls with a context for every call. Any call except the handshake can be
// cancelled without harm to the connection. A [ServerConfig] or a [ConnectConfig] turns TLS on;
// [TLSServer] and [TLSClient] put it on any Conn. [Certificates] holds a server's certificates and
// can be changed while the server runs.
//
// # Proxies
//
// With a [ProxyConfig] a server learns from its proxies, by the PROXY protocol, the addresses of
// their clients. Package [proxyproto] parses and formats the header.
//
// # Package net
//
// [NetConn], [NetListener], [NetPacketConn] and [DialContext] make net.Conns and net.Listeners for
// other libraries. [FromConn] and [FromListener] take ownership of theirs.
//
// # Cancellation and errors
//
// Any context will do, including [context.Background]. Each call first checks its context. A call
// that is cancelled while it waits has changed nothing, or returns how far it got, as SendAll does.
// Errors are of type [*net.OpError], except [io.EOF], a [*CopyError], a [*GraceError], and ctx's
// error where a function's documentation mentions it. [errors.Is] finds ctx's error,
// [net.ErrClosed], a [syscall.Errno], or an error of this package in them. If the peer was too slow
// for the configuration, the error is [ErrIdle], [ErrHandshakeTimeout] or [ErrLifetime], which also
// match [os.ErrDeadlineExceeded].
package network
