// Package socket is the BSD socket interface, every blocking call of which takes a
// context: it can be cancelled, it can time out, and it can be seen.
//
//	s, err := socket.New(socket.AF_INET, socket.SOCK_STREAM, 0)
//	err = s.Connect(ctx, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80})
//	n, err := s.SendAll(ctx, []byte("GET / HTTP/1.0\r\n\r\n"))
//	n, err = s.Recv(ctx, buf)
//	err = s.Close()
//
// It has stream, datagram and raw sockets over IPv4 and IPv6, and stream, datagram and
// packet sockets of the Unix domain. Addresses are those of package net: [*net.TCPAddr],
// [*net.UDPAddr], [*net.IPAddr] or [*net.UnixAddr], by the type of the socket. Methods
// with AddrPort in their names have a [netip.AddrPort] instead.
//
// # Messages
//
// [Socket.Recv] and [Socket.Send] are for bytes, or for datagrams on a socket that is
// connected. [Socket.RecvFrom] and [Socket.SendTo] tell where a datagram comes from, and
// where it goes. All that there is beyond that, as several buffers, ancillary data and
// what the system has to say about a message, is in [Socket.RecvMsg] and
// [Socket.SendMsg]. [Socket.SendFDs] and [Socket.RecvFDs] pass descriptors, and
// [Socket.RecvMMsg] and [Socket.SendMMsg] move many messages at once.
// [Socket.SendFile] sends a file, and [Socket.RecvBuffer] takes a buffer from a pool when
// there is something to receive.
//
// # Options
//
// Each is a variable, an [Option] or, if it can only be read, a [ReadOnly]:
//
//	err := socket.NoDelay.Set(s, false)
//	size, err := socket.RecvBufferSize.Get(s)
//
// [Socket.SetsockoptInt] and [Socket.SetsockoptBytes] set what is not among them by its
// number. [Socket.JoinGroup] and its like are about multicast.
//
// # Names
//
// [GetAddrInfo], [GetNameInfo], [GetHostByName] and the others ask the resolver of package
// net. They return at once when their context ends.
//
// # Descriptors
//
// [FromFD] takes over a descriptor, [FromConn] makes a Socket of what package net or os
// has, and [Activated] returns the sockets that systemd has started the program with.
// [Socket.Dup] and [Socket.File] make duplicates, and [Socket.Detach] gives the descriptor
// away. [Socket.Blocking] lends it, in blocking mode, to code that knows no contexts, and
// [Socket.ReadCall] and [Socket.WriteCall] make any system call wait as the methods here
// do.
//
// # Cancellation
//
// Any context will do, [context.Background] too. An operation asks first whether its
// context is alive, so with one that has ended it fails although it could complete
// at once. An operation that waits and is cancelled has changed nothing: the bytes
// not received and the connection not accepted are there for the next call, and
// the socket works as before. Where an operation can be cut short halfway, which
// is [Socket.SendAll], [Socket.SendMsgAll], [Socket.SendMMsg], [Socket.SendFile] and
// receiving with MSG_WAITALL, it returns how far it got. If the cancellation and the
// data come at the same time, either the call returns the data or the next one does.
//
// What does not wait, as setting an option, takes no context. Close does not wait either,
// unless the option [Linger] makes it.
//
// # Errors
//
// Errors are [*net.OpError]s, which tell the operation and the addresses, around one
// of these, to be found with [errors.Is]:
//
//   - the scope's error, such as curio.ErrTaskCancelled or curio.ErrTaskTimeout,
//     which are also [context.Canceled] and [context.DeadlineExceeded];
//   - [net.ErrClosed], if the socket has been closed, before the call or during it;
//   - a [syscall.Errno], such as [syscall.ECONNREFUSED] or [syscall.EADDRINUSE];
//   - [*net.AddrError], for an address that does not fit the socket;
//   - [*net.DNSError], for a name that was not found;
//   - [errors.ErrUnsupported], for an option that this system or this kind of socket does
//     not have.
//
// [io.EOF], the end of the stream, is returned as it is.
//
// # Several tasks and one socket
//
// A Socket is safe for concurrent use. One task may receive while another sends.
// Those who receive, accept, or wait for something to read take turns, in the order
// in which they came, and so do those who send; whoever is cancelled in the queue
// leaves it. Close ends the operations in progress.
package socket
