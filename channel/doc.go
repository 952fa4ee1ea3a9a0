// Package channel sends messages between programs, over TCP, Unix sockets, TLS, pipes or any other stream.
// Every blocking call takes a context: it can be cancelled, it can time out, and it can be seen.
//
// One program listens, and the others connect:
//
//	l, err := channel.Listen(ctx, "tcp", "127.0.0.1:25000", cfg)
//	conn, err := l.Accept(ctx)
//
//	conn, err := channel.Connect(ctx, "tcp", "127.0.0.1:25000", cfg)
//
// [Connect] tries again while nobody listens yet, so it does not matter which program starts first.
// [Server] and [Client] make a connection of a stream that is there already, such as the standard streams of
// a subprocess.
//
// # Messages
//
// [Conn.Send] and [Conn.Recv] are for Go values, and [Conn.SendBytes] and [Conn.RecvBytes] for messages in a
// format of your own. Values are encoded as JSON, or, between programs that trust each other,
// by encoding/gob: see [Codec].
//
// Any number of tasks may send and receive at the same time. Each message is sent and received as a whole.
// Those that send take turns, in the order in which they came, and so do those that receive.
//
// # Python
//
// Messages and authentication are as in Python's multiprocessing.connection. A Python program
// connects with multiprocessing.connection.Client, listens with Listener, and uses send_bytes and recv_bytes.
// Its send and recv use pickles, which can run any code when they are decoded: [Conn.Recv] refuses them with
// [ErrPickle].
//
// # Authentication
//
// With a [Config.Key], each side proves to the other that it has the same key: it answers a random challenge by
// a keyed hash of it (HMAC), and the key itself is never sent. Without the key there is no connection, and the
// other side learns only that it was refused. The error on this side says why, and has none of the other side's
// bytes in it.
//
// A client answers the challenge of any listener that it connects to, and that listener can then try out at
// leisure which keys give this answer. So a key should be 32 bytes of crypto/rand, not a word. HMAC takes a
// short key and the same key with zero bytes at its end for the same.
//
// Python up to version 3.11 knows HMAC-MD5 alone. Later versions answer by the digest that they are asked for;
// this package asks for SHA-256, and accepts what Python accepts. If no peer is that old, set
// [Config.RefuseMD5].
//
// # What a shared key does not show
//
// The handshake shows that somebody has the key. It does not show that this is the one at the other end of the
// connection. Suppose that a client is led to a false address, or that somebody sits on the way. Without the
// key, such a relay can pass the listener's challenge on to the client and the client's answer back to the
// listener, and then the same in the other direction. Both handshakes succeed, and the relay can read, change
// and take over the connection: what is sent after the handshake is neither encrypted nor signed. Every program
// that has the key and connects to somebody can be used like this, against every listener with the same key.
//
// An answer does not say for which connection it is meant, so the protocol has no cure for that. One case can
// be seen, and is refused: a process does not answer a challenge that it has itself sent to somebody else. So a
// program that connects to itself with a key is refused, too, unless the system shows that there is nobody in
// between: over TCP, or over a Unix socket that the program itself has opened, but not through a proxy, and not
// over a socket pair.
//
// What helps is below the messages, or beside them:
//
//   - TLS. A client that checks the certificate answers only the listener that has it, and a relay sees only
//     bytes that it cannot read or change. The key then tells the listener which clients may connect. Config.Server
//     and Config.Client have TLS: see the example. With certificates on both sides no key is needed.
//   - On one machine, a Unix socket in a directory to which nobody else may write. [Listen] lets only this user
//     connect to it, unless told otherwise. Abstract names have no permissions.
//   - A key for each role. Then a relay can lead a client only to the listeners that it is meant for.
//
// # Cancellation
//
// Any context will do, context.Background too. A call asks first whether its context is alive. A call that is
// cancelled while it waits for its turn, or for a message to begin, has changed nothing. A Recv that is
// cancelled in the middle of a message keeps in the connection what has come of it, and the next one goes on
// there.
//
// A Send that is cancelled in the middle of a message cannot take back what was sent, and the other side would
// take the next message for the rest of this one. So it closes the connection: its error is [ErrCut] as well as
// ctx's error, and all later calls fail with an error that is ErrCut and net.ErrClosed.
//
// # Limits
//
// What the other side says is not believed. A message is at most Config.MaxMessage long. Memory is used for
// what has arrived, not for what is announced. A handshake has a deadline, and a [Listener] does a limited
// number of them at once, apart from Accept, so that a silent peer blocks nobody.
//
// # Peers that vanish
//
// A machine that loses its power says no goodbye. Over TCP, connections have SO_KEEPALIVE: a Recv fails with
// syscall.ETIMEDOUT after two minutes and a half, or as the KeepAlive of Config.Server and Config.Client says.
// A Send does not notice that at first, as the system takes what is to be sent: give it a timeout, or wait for
// an answer.
//
// # Errors
//
// Errors are *net.OpError with the operation and the addresses, except for io.EOF. That is the end of the
// connection between two messages. An end in the middle of a message is io.ErrUnexpectedEOF.
package channel
