// Package socket provides the BSD socket interface with a context for every blocking call: each
// call can be cancelled, can time out, and can be observed while it waits. Begin with [New],
// [Socket.Connect] or [Socket.Bind]; for servers and TCP clients, package network needs less code.
//
//	s, err := socket.New(socket.AF_INET, socket.SOCK_STREAM, 0)
//	err = s.Connect(ctx, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80})
//	n, err := s.SendAll(ctx, []byte("GET / HTTP/1.0\r\n\r\n"))
//	n, err = s.Recv(ctx, buf)
//	err = s.Close()
//
// There are stream, datagram and raw sockets over IPv4 and IPv6, and stream, datagram and
// SOCK_SEQPACKET sockets of the Unix domain. Addresses are package net's types: [*net.TCPAddr],
// [*net.UDPAddr], [*net.IPAddr] or [*net.UnixAddr], depending on the type of the socket. Methods
// with AddrPort in their names use a [netip.AddrPort] instead.
//
// # Messages
//
// [Socket.Recv] and [Socket.Send] move bytes, or datagrams on a connected socket. [Socket.RecvFrom]
// and [Socket.SendTo] also have the address of the sender or the receiver. [Socket.RecvMsg] and
// [Socket.SendMsg] give access to everything else: several buffers, ancillary data, and the
// system's flags. [Socket.SendFDs] and [Socket.RecvFDs] pass descriptors, and [Socket.RecvMMsg] and
// [Socket.SendMMsg] move many messages at once. [Socket.SendFile] sends a file, and
// [Socket.RecvBuffer] takes a buffer from a pool only when there is something to receive.
//
// # Options
//
// Each option is a variable, an [Option] or, if it can only be read, a [ReadOnly]:
//
//	err := socket.NoDelay.Set(s, false)
//	size, err := socket.RecvBufferSize.Get(s)
//
// [Socket.SetsockoptInt] and [Socket.SetsockoptBytes] set other options by number.
// [Socket.JoinGroup], [Socket.LeaveGroup] and [Socket.SetMulticastInterface] are for multicast.
//
// # Names
//
// [GetAddrInfo], [GetNameInfo], [GetHostByName] and the similar functions use package net's
// resolver. They return as soon as their context is done.
//
// # Descriptors
//
// [FromFD] takes over a descriptor, [FromConn] makes a Socket from a connection of package net or
// from an os.File, and [Activated] returns the sockets that systemd passed to the program.
// [Socket.Dup] and [Socket.File] duplicate the descriptor, and [Socket.Detach] gives it away.
// [Socket.Blocking] lends it, in blocking mode, to code that takes no context. [Socket.ReadCall]
// and [Socket.WriteCall] make any system call wait as the methods here do.
//
// # Cancellation
//
// Any context will do, including [context.Background]. Each operation first checks its context: if
// that is done, the operation fails even if it could complete at once. An operation that is
// cancelled while it waits has changed nothing: data that has not been received and connections
// that have not been accepted are left for the next call, and the socket still works. Some
// operations can be cut short halfway: [Socket.SendAll], [Socket.SendMsgAll], [Socket.SendMMsg],
// [Socket.SendFDs], [Socket.SendFile], and receiving with MSG_WAITALL. They return how far they
// got, with the error. If cancellation and data arrive at the same time, either this call returns
// the data or the next one does.
//
// A call that does not wait, such as one that sets an option, takes no context. Close does not wait
// for the peer either, unless the option [Linger] makes it.
//
// A task that waits is in the state READ_WAIT, WRITE_WAIT, ACCEPT_WAIT or CONNECT_WAIT; in
// READ_TURN or WRITE_TURN while it waits for another task's operation to end; and in DNS_WAIT in
// [GetAddrInfo] and the similar functions.
//
// # Errors
//
// Errors are of type [*net.OpError], which name the operation and the addresses. They wrap one of
// these, which [errors.Is] or [errors.As] finds:
//
//   - ctx's error, such as curio.ErrTaskCancelled or curio.ErrTaskTimeout; errors.Is also reports
//     [context.Canceled] or [context.DeadlineExceeded];
//   - [net.ErrClosed], if the socket was closed before or during the call;
//   - a [syscall.Errno], such as [syscall.ECONNREFUSED] or [syscall.EADDRINUSE];
//   - a [*net.AddrError], for an address that does not fit the socket;
//   - a [*net.DNSError], for a name that was not found;
//   - [errors.ErrUnsupported], for an option that this system or this type of socket does not have.
//
// [io.EOF], the end of the stream, is returned unwrapped.
//
// # Concurrent use
//
// A Socket is safe for concurrent use. One task may receive while another sends. Tasks that
// receive, accept, or wait for something to read do so one at a time, in the order in which they
// called; so do tasks that send. A task that is cancelled leaves the queue. Close ends the
// operations in progress.
package socket
