// Package stream provides buffered streams of bytes over sockets, pipes, terminals and other
// connections, with lines, exact reads and iteration. Every blocking call takes a context: it can
// be cancelled, can time out, and can be observed while it waits. Begin with [New], which makes a
// stream from a [Transport] such as a *socket.Socket or a network.Conn; [FromConn] takes any
// net.Conn, and [FromFile] an *os.File.
//
//	s := stream.New(conn)
//	line, err := s.ReadLine(ctx)
//	body, err := s.ReadExactly(ctx, n)
//	_, err = s.WriteString(ctx, "done\n")
//	err = s.CloseContext(ctx)
//
// # Reading
//
// Data that has been received but not read is in a buffer. The buffer exists only while there is
// data in it, so streams that wait hold none. Read returns the data that is there; ReadFull and
// ReadExactly read a given number of bytes; ReadAll reads everything; ReadLine and ReadUntil read
// one piece; Lines and ReadLines read all lines. Peek looks ahead. Discard and SkipLine drop data,
// such as a line that is too long.
//
// # Writing
//
// When a write returns, the system has accepted the bytes. After SetWriteBuffer the stream collects
// them instead, and Flush sends them. CloseContext sends what is left, or returns an error with the
// number of bytes that it could not send. Close does not wait; it is for defer and for io.Closer.
//
// # Code that takes no context
//
// Stream.Reader and Stream.Writer make an io.Reader and an io.Writer from a stream and a context;
// the functions [Reader] and [Writer] do the same for a Transport. Detach returns the transport to
// a caller that continues without the stream.
//
// # Cancellation
//
// Any context will do, including [context.Background]. Each operation first checks its context: if
// that is done, the operation fails even if the data is in the buffer. Nothing is lost: an
// operation that is cancelled returns what it has taken from the stream together with the error,
// and leaves the rest for the next operation. ReadLine and ReadUntil leave a partial piece in the
// buffer; ReadExactly, ReadFull and ReadAll return what they have read. Write, WriteLines and Flush
// can be cut short halfway, and report or keep exactly what has not been sent. With TLS, some of
// the data that they report as written may still be in the transport: the next write, Flush or
// CloseContext sends it, and so does a read while it waits.
//
// # Limits
//
// A stream does not trust its peer: a line has at most 64 KiB unless SetLineLimit changes that,
// ReadAll takes a limit, and ReadExactly allocates memory only for data that has arrived.
//
// # Errors
//
// The end of the stream is [io.EOF], unwrapped, or [io.ErrUnexpectedEOF] if it comes too early.
// Errors of the transport are returned unchanged: sockets and connections return errors of type
// [*net.OpError], and files errors of type [*os.PathError]. The stream's own errors are of type
// [*net.OpError]. They wrap one of these, which [errors.Is] finds:
//
//   - ctx's error, such as curio.ErrTaskCancelled or curio.ErrTaskTimeout; errors.Is also reports
//     [context.Canceled] or [context.DeadlineExceeded];
//   - [net.ErrClosed], if the stream was closed before or during the call;
//   - [ErrLineTooLong] or [ErrTooLong];
//   - [ErrUnsent], if a Close has lost data;
//   - an error of the system.
//
// # Concurrent use
//
// A Stream is safe for concurrent use. One task may read while another writes. Tasks that read do
// so one at a time, in the order in which they called; so do tasks that write. A task that is
// cancelled leaves the queue. A line goes to one reader as a whole. Close ends the operations in
// progress.
package stream
