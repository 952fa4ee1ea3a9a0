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
// side learns nothing but that it was refused.
//
// This is all that it does. What is sent afterwards is neither encrypted nor signed: somebody on the way between
// the two can read it and change it. Nor does it show where the other side is: somebody who talks to both can pass
// the challenges and answers on from one to the other, so that each side authenticates the other, and take the
// connection over when they have done. A key that several programs share lets each of them do that to the others.
// Over a network, use TLS below the messages: network.ServerConfig and network.ConnectConfig have it, and [Config]
// has a place for both. On one machine, a Unix socket in a directory of which nobody else may write is enough.
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
