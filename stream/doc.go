// Package stream has buffered streams of bytes over sockets, pipes, terminals and other
// connections: lines, exact reads, iteration. Every blocking call takes a context: it can
// be cancelled, it can time out, and it can be seen.
//
//	s := stream.New(conn)                 // a *socket.Socket, or any network.Conn
//	line, err := s.ReadLine(ctx)
//	body, err := s.ReadExactly(ctx, n)
//	_, err = s.WriteString(ctx, "done\n")
//	err = s.CloseContext(ctx)
//
// New makes a stream of a [Transport], FromConn of any net.Conn, FromFile of an *os.File.
//
// # Reading
//
// What has been received and not been read is in a buffer, which exists only as long as
// there is something in it: streams that wait hold none. Read returns what is there,
// ReadFull and ReadExactly so many bytes, ReadAll everything, ReadLine and ReadUntil a
// piece, Lines and ReadLines all lines. Peek looks ahead; Discard and SkipLine drop what is of no
// use, as a line that is too long.
//
// # Writing
//
// When a write returns, the system has the bytes. With SetWriteBuffer the stream collects
// them, and Flush sends them. CloseContext sends what is left, or returns an error that says how
// much it could not send. Close, for a defer and for io.Closer, does not wait.
//
// # Code without contexts
//
// Stream.Reader and Stream.Writer are a stream as an io.Reader and an io.Writer, bound to a
// context; Reader and Writer do it for a transport. Detach gives the transport back to who
// goes on without a stream.
//
// # Cancellation
//
// Any context will do, [context.Background] too. An operation asks first whether its
// context is alive, so with one that has ended it fails although what it asks for is in
// the buffer. Nothing is lost: what an operation has taken off the stream when it is
// cancelled, it returns with the error; the rest is there for the next one. So ReadLine
// and ReadUntil leave half a piece where it is, and ReadExactly, ReadFull and ReadAll
// return what they have. Write, WriteLines and Flush, which can be cut short halfway,
// report or keep exactly what has not been sent. With TLS, some of what they report as
// written may still be kept: it is sent by the next write, Flush or CloseContext, and by a read
// while it waits.
//
// # Limits
//
// What the other side says is not believed: a line has at most 64 KiB, unless
// SetLineLimit says otherwise, ReadAll asks for a limit, and ReadExactly uses memory for
// what has arrived only.
//
// # Errors
//
// The end of the stream is [io.EOF] as it is, and [io.ErrUnexpectedEOF] if it comes too
// early. Errors of the transport come as they are: of sockets and connections that is
// [*net.OpError], of files [*os.PathError]. The stream's own are [*net.OpError]s. Inside is
// one of these, to be found with [errors.Is]:
//
//   - the scope's error, such as curio.ErrTaskCancelled or curio.ErrTaskTimeout,
//     which are also [context.Canceled] and [context.DeadlineExceeded];
//   - [net.ErrClosed], if the stream has been closed, before the call or during it;
//   - [ErrLineTooLong] or [ErrTooLong];
//   - [ErrUnsent], of a Close that has lost something;
//   - whatever the system says.
//
// # Several tasks and one stream
//
// A Stream is safe for concurrent use. One task may read while another writes. Those who
// read take turns, in the order in which they came, and so do those who write; whoever is
// cancelled in the queue leaves it. A line goes to one reader as a whole. Close ends the
// operations in progress.
package stream
