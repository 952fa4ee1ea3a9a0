// Package channel sends messages between programs, over TCP, Unix sockets, TLS, pipes or any other
// stream. Every blocking call takes a context: it can be cancelled, can time out, and can be
// observed while it waits. Begin with [Listen] in one program and [Connect] in the others:
//
//	l, err := channel.Listen(ctx, "tcp", "127.0.0.1:25000", cfg)
//	conn, err := l.Accept(ctx)
//
//	conn, err := channel.Connect(ctx, "tcp", "127.0.0.1:25000", cfg)
//
// [Connect] tries again until the listener is available, so the programs may start in any order.
// [Server] and [Client] make a connection from an existing stream, such as the standard streams of
// a subprocess.
//
// # Messages
//
// [Conn.Send] and [Conn.Recv] move Go values; [Conn.SendBytes] and [Conn.RecvBytes] move messages
// in a format of your own. Values are encoded as JSON or, between programs that trust each other,
// with encoding/gob: see [Codec].
//
// Any number of tasks may send and receive at the same time. Each message is sent and received as a
// whole. Tasks that send do so one at a time, in the order in which they called; so do tasks that
// receive.
//
// # Python
//
// Messages and authentication are the same as in Python's multiprocessing.connection. A Python
// program connects with multiprocessing.connection.Client, listens with Listener, and uses
// send_bytes and recv_bytes. Its send and recv use pickles, which can run any code when they are
// decoded: [Conn.Recv] refuses them with [ErrPickle].
//
// # Authentication
//
// With a [Config.Key], each side proves to the other that it has the same key: it answers a random
// challenge with a keyed hash of it (HMAC), and the key itself is never sent. Without the key there
// is no connection, and the peer learns only that it was refused. The error on this side gives the
// cause, and contains no data from the peer.
//
// A client answers the challenge of any listener that it connects to, and that listener can then
// search for keys that give the same answer. A key should therefore be 32 bytes of crypto/rand, not
// a word. For HMAC, a short key and the same key with zero bytes at its end are equal.
//
// Python up to version 3.11 supports only HMAC-MD5. Later versions answer with the digest that they
// are asked for; this package asks for SHA-256, and accepts what Python accepts. If none of the
// peers is that old, set [Config.RefuseMD5].
//
// # What a shared key does not prove
//
// The handshake proves that some program has the key. It does not prove that this program is at the
// other end of the connection. Suppose that a client is directed to a false address, or that an
// attacker controls the network. Without the key, such a relay can pass the listener's challenge on
// to the client and the client's answer back to the listener, and then do the same in the other
// direction. Both handshakes succeed, and the relay can read, change and take over the connection:
// messages after the handshake are neither encrypted nor signed. Every program that has the key and
// connects to an attacker can be used in this way, against every listener with the same key.
//
// An answer does not name the connection that it is for, so the protocol cannot prevent this. One
// case can be detected, and is refused: a process does not answer a challenge that it has itself
// sent on another connection. A program that connects to itself with a key is therefore refused
// too, unless the system shows that there is no relay: over TCP, or over a Unix socket that the
// program itself has opened, but not through a proxy, and not over a socket pair.
//
// There are three remedies outside this protocol:
//
//   - TLS. A client that verifies the certificate answers only the listener that has it, and a
//     relay sees only data that it cannot read or change. The key then tells the listener which
//     clients may connect. Config.Server and Config.Client turn on TLS: see the example. With
//     certificates on both sides no key is needed.
//   - On one machine, a Unix socket in a directory that other users cannot write to. [Listen] lets
//     only this user connect to it, by default. Abstract names have no permissions.
//   - A separate key for each role. A relay can then use a client only against the listeners that
//     the client is meant for.
//
// # Cancellation
//
// Any context will do, including context.Background. Each call first checks its context. A call
// that is cancelled while it waits for other tasks, or for a message to begin, has changed nothing.
// If a Recv is cancelled in the middle of a message, the connection keeps the part that has
// arrived, and the next Recv continues with it.
//
// A Send that is cancelled in the middle of a message cannot take back what was sent, and the peer
// would take the next message for the rest of this one. It therefore closes the connection: its
// error wraps [ErrCut] and ctx's error, and the errors of all later calls wrap ErrCut and
// net.ErrClosed.
//
// # Limits
//
// A connection does not trust its peer. A message has at most Config.MaxMessage bytes. Memory is
// allocated for data that has arrived, not for the announced length. A handshake has a deadline,
// and a [Listener] does a limited number of handshakes at once, separately from Accept, so that an
// idle peer delays no other.
//
// # Peers that vanish
//
// A machine that loses power does not close its connections. Over TCP, connections have
// SO_KEEPALIVE on: Recv fails with syscall.ETIMEDOUT after two and a half minutes, or as the
// KeepAlive of Config.Server and Config.Client says. Send does not notice at first, as the system
// accepts the data: give it a timeout, or wait for an answer.
//
// # Errors
//
// Errors are *net.OpErrors with the operation and the addresses, except io.EOF, which is the end of
// the connection between two messages. An end in the middle of a message is io.ErrUnexpectedEOF.
package channel
