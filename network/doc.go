// Package network serves and opens connections. Every blocking call takes a context: it can
// be cancelled, it can time out, and it can be seen.
//
//	err := network.TCPServer(ctx, "127.0.0.1:25000", func(ctx context.Context, conn network.Conn) error {
//		…
//	}, nil)
//
//	conn, err := network.OpenConnection(ctx, "example.org:25000", nil)
//
// A connection is a [Conn], be it a plain socket, TLS, or anything else.
//
// # Servers
//
// [TCPServer] and [UnixServer] listen and serve; [ListenTCP] and [ListenUnix] listen, and
// [RunServer] and [RunServers] serve what listens. Each connection has a task of its own, in
// which the [Handler] is called. A server runs until its context ends, and when it returns
// all its handlers have returned.
//
// A [ServerConfig] bounds how many connections are served at a time, and how long each may
// take, be silent, or go on when the server stops; a handler that waits for its next
// request does so with the context of [curio.UntilStop]. A server also stops by itself when the
// program, or the task that it runs in, is asked to.
//
// # Clients
//
// [OpenConnection] looks a name up and tries its addresses as RFC 8305, "Happy Eyeballs",
// says. [OpenUnixConnection] connects with a Unix socket.
//
// # TLS
//
// It is package crypto/tls, under our contexts: any call but the handshake can be cancelled,
// and the connection goes on. Servers and clients have it if their configuration says so;
// [TLSServer] and [TLSClient] put it on any Conn. [Certificates] are those of a server, and
// can be replaced while it runs.
//
// # Proxies
//
// With a [ProxyConfig] a server takes from its proxies, by the PROXY protocol, whom they
// connect for. Package [proxyproto] makes the header that a proxy sends.
//
// # Package net
//
// [NetConn], [NetListener], [NetPacketConn] and [DialContext] are for libraries that want a
// net.Conn or the like; [FromConn] and [FromListener] take one over.
//
// # Cancellation and errors
//
// Any context will do, [context.Background] too. A call asks first whether its context is
// alive. One that is cancelled while it waits has changed nothing, or, as SendAll, says how
// far it got. Errors are [*net.OpError], except for [io.EOF], a [*GraceError], and the
// scope's error where a server ends with it. With [errors.Is] one can find inside: the
// scope's error, [net.ErrClosed], a [syscall.Errno], or an error of this package. If the
// peer was too slow for the configuration, that is [ErrIdle], [ErrHandshakeTimeout] or
// [ErrLifetime], which are [os.ErrDeadlineExceeded] as well.
package network
