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
// [Conn.Send] and [Conn.Recv] are for Go values, and [Conn.SendBytes] and [Conn.RecvBytes] for messages whose
// format is the programs' own affair. Values are encoded as JSON, or, between programs that trust each other, by
// encoding/gob: see [Codec].
//
// Any number of tasks may send and receive at the same time. Each message is sent and received as a whole. Those
// that send take turns, in the order in which they came, and so do those that receive.
//
// # Python
//
// The bytes are those of Python's multiprocessing.connection, and so is the authentication. A Python program
// connects with multiprocessing.connection.Client, listens with Listener, and uses send_bytes and recv_bytes. Its
// send and recv use pickles, which can run any code when they are decoded: [Conn.Recv] refuses them with
// [ErrPickle].
//
// # Authentication
//
// With a [Config.Key], each side proves to the other that it has the same key: it answers a random challenge by a
// keyed hash of it (HMAC), and the key itself is never sent. Without the key there is no connection, and the other
// side learns nothing but that it was refused: the error of this side says why, and has none of the other side's bytes
// in it. Anybody that a client connects with gets the answer to one challenge of its own choice, and can try out at
// home which keys give that answer. So a key should be 32 bytes of crypto/rand, and not a word.
//
// Python up to version 3.11 knows HMAC-MD5 alone, and later ones answer by the digest that they are asked for. We
// ask for SHA-256, and accept what Python accepts. If no peer is that old, set [Config.RefuseMD5].
//
// # What a shared key does not show
//
// The handshake shows that somebody with the key is on the way, and not that it is at the other end of this connection.
// Somebody without the key, with whom a client connects because of a false address, or who sits on the way, can
// pass the listener's challenge on to the client and the client's answer back to the listener, and the same the other
// way round. Both handshakes succeed, and then the connection is the relay's, to read, to change, or to take over:
// what is sent after the handshake is neither encrypted nor signed. Every program that has the key and connects with
// somebody can be used for that, against every listener that has the same key.
//
// No answer in this protocol says for which connection it is meant, so there is no cure for it in the protocol. One
// case can be seen, and is refused: a process does not answer a challenge that it has itself sent to somebody else.
// For the same reason a program that connects with itself by a key is refused, unless the addresses show that no
// relay is in between: not through a proxy, and not over a socket pair.
//
// The ways out are below the messages and beside them:
//
//   - TLS. A client that checks the certificate answers only the listener that has it, and a relay is left with
//     bytes that it cannot read or change. The key is then what tells the listener who may connect. Config.Server
//     and Config.Client have TLS; see the example. If the clients have certificates, too, no key is needed.
//   - On one machine, a Unix socket in a directory in which nobody else may write. [Listen] lets only this user
//     connect with it, unless told otherwise. Abstract names have no permissions.
//   - A key for each role: then a relay can lead from a client only to the listeners that it is meant for.
//
// # Cancellation
//
// Any context will do, context.Background too. A call asks first whether its context is alive. A call that
// is cancelled while it waits for its turn, or for a message to begin, has changed nothing. A Recv that is
// cancelled in the middle of a message keeps in the connection what has come of it, and the next one goes on there.
//
// A Send that is cancelled in the middle of a message cannot take back what was sent, and the other side would take
// the next message for the rest of this one. So it closes the connection: its error is [ErrCut] as well as ctx's
// error, and all later calls fail with an error that is ErrCut and net.ErrClosed.
//
// # Limits
//
// What the other side says is not believed. A message is at most Config.MaxMessage long. Memory is used for what
// has arrived, not for what is announced. A handshake has a deadline, and a [Listener] does a limited number of them at
// once, apart from Accept, so that a silent peer blocks nobody.
//
// # Peers that vanish
//
// A machine that loses its power says no goodbye. Over TCP, connections have SO_KEEPALIVE: a Recv fails with
// syscall.ETIMEDOUT after two minutes and a half, or as the KeepAlive of Config.Server and Config.Client says. A Send
// does not notice that at first, as the system takes what is to be sent: give it a timeout, or wait for an
// answer.
//
// # Errors
//
// Errors are *net.OpError with the operation and the addresses, except for io.EOF. That is the end of the connection
// between two messages. An end in the middle of a message is io.ErrUnexpectedEOF.
package channel
