package socket

import (
	"encoding/binary"
	"syscall"
	"time"
)

// Options of every kind of socket.
var (
	// ReuseAddr is SO_REUSEADDR: Bind takes a port on which connections of an earlier
	// listener have not run out. It is for before Bind.
	ReuseAddr = Option[bool]{ofSocket("SO_REUSEADDR", syscall.SO_REUSEADDR, boolean)}

	// ReusePort is SO_REUSEPORT: several sockets may be bound to one port, if all of them
	// say so; Linux shares the connections out among them. It is for before Bind.
	ReusePort = Option[bool]{ofSocket("SO_REUSEPORT", soReusePort, boolean)}

	// Broadcast is SO_BROADCAST: a datagram socket may send to broadcast addresses.
	Broadcast = Option[bool]{ofSocket("SO_BROADCAST", syscall.SO_BROADCAST, boolean)}

	// KeepAlive is SO_KEEPALIVE: on an idle connection the system asks now and then
	// whether the other side is still there. KeepAliveIdle, KeepAliveInterval and
	// KeepAliveCount say when.
	KeepAlive = Option[bool]{ofSocket("SO_KEEPALIVE", syscall.SO_KEEPALIVE, boolean)}

	// Linger is SO_LINGER, in whole seconds: so long at most does Close wait for what was
	// sent to arrive. Nothing can cut this wait short, and it holds a thread. With 0,
	// Close throws away what has not been sent and resets the connection. If it is
	// negative, as it is from the beginning, the system sends the rest after Close has
	// returned.
	Linger = Option[time.Duration]{ofSocket("SO_LINGER", soLinger, lingering)}

	// RecvBufferSize is SO_RCVBUF: how many bytes the system keeps that have not been
	// received. Linux takes twice what is set, bookkeeping included, and not less than a
	// minimum; that is what Get returns.
	RecvBufferSize = Option[int]{ofSocket("SO_RCVBUF", syscall.SO_RCVBUF, integer)}

	// SendBufferSize is SO_SNDBUF: how many bytes the system takes that have not arrived.
	// Linux takes twice what is set, as with RecvBufferSize.
	SendBufferSize = Option[int]{ofSocket("SO_SNDBUF", syscall.SO_SNDBUF, integer)}

	// RecvLowWater is SO_RCVLOWAT: with fewer bytes than that a stream is not ready to be
	// received from, so who waits goes on waiting.
	RecvLowWater = Option[int]{ofSocket("SO_RCVLOWAT", syscall.SO_RCVLOWAT, integer)}

	// RecvTimestamp is SO_TIMESTAMP: each message received has the time of its arrival in
	// microseconds with it, as ancillary data.
	RecvTimestamp = Option[bool]{ofSocket("SO_TIMESTAMP", syscall.SO_TIMESTAMP, boolean)}

	// RecvTimestampNS is SO_TIMESTAMPNS: RecvTimestamp in nanoseconds. Linux.
	RecvTimestampNS = Option[bool]{ofSocket("SO_TIMESTAMPNS", soTimestampNS, boolean)}

	// PassCredentials is SO_PASSCRED: each message received on a Unix socket has the
	// credentials of its sender with it, as ancillary data. Linux.
	PassCredentials = Option[bool]{ofSocket("SO_PASSCRED", soPassCred, boolean)}

	// Priority is SO_PRIORITY: of what the socket sends, in the queues of the interface.
	// More than 6 needs the capability CAP_NET_ADMIN. Linux.
	Priority = Option[int]{ofSocket("SO_PRIORITY", soPriority, integer)}

	// Mark is SO_MARK: a number on the packets that the socket sends, for routes and packet
	// filters to go by. It needs the capability CAP_NET_ADMIN. Linux.
	Mark = Option[uint32]{ofSocket("SO_MARK", soMark, word)}

	// BindToDevice is SO_BINDTODEVICE: the name of the one interface through which the
	// socket sends and receives, "" for any. Linux.
	BindToDevice = Option[string]{ofSocket("SO_BINDTODEVICE", soBindToDevice, text(16))}

	// IncomingCPU is SO_INCOMING_CPU: which CPU the packets come in at, or, if set, should
	// come in at for the socket to be the one of several on a port. Linux.
	IncomingCPU = Option[int]{ofSocket("SO_INCOMING_CPU", soIncomingCPU, integer)}

	// BusyPoll is SO_BUSY_POLL, in microseconds: how long to ask the interface for packets
	// instead of waiting for it to tell. It needs the capability CAP_NET_ADMIN. Linux.
	BusyPoll = Option[time.Duration]{ofSocket("SO_BUSY_POLL", soBusyPoll, duration(time.Microsecond))}
)

// What every kind of socket tells of itself.
var (
	// Type is SO_TYPE: SOCK_STREAM and so on.
	Type = ReadOnly[int]{ofSocket("SO_TYPE", syscall.SO_TYPE, integer)}

	// Protocol is SO_PROTOCOL: IPPROTO_TCP and so on. Linux and FreeBSD.
	Protocol = ReadOnly[int]{ofSocket("SO_PROTOCOL", soProtocol, integer)}

	// Domain is SO_DOMAIN: AF_INET and so on. Linux and FreeBSD.
	Domain = ReadOnly[int]{ofSocket("SO_DOMAIN", soDomain, integer)}

	// Accepting is SO_ACCEPTCONN: whether Listen has been called.
	Accepting = ReadOnly[bool]{ofSocket("SO_ACCEPTCONN", soAcceptConn, boolean)}

	// PendingError is SO_ERROR: what has gone wrong since the last operation, as a
	// syscall.Errno, or nil. It is nil afterwards: who reads it takes it away from the
	// operation that would have returned it.
	PendingError = ReadOnly[error]{ofSocket("SO_ERROR", syscall.SO_ERROR, pending)}

	// PeerCredentials is SO_PEERCRED: who was on the other side of a Unix connection when
	// it was made. Linux.
	PeerCredentials = ReadOnly[Credentials]{ofSocket("SO_PEERCRED", soPeerCred, credentials)}
)

// Credentials are those of a process: its number, and the users and groups in whose name
// it runs.
type Credentials struct {
	PID, UID, GID int
}

var pending = &form[error]{4, nil, func(b []byte) error {
	if errno := intOf(b); errno != 0 {
		return syscall.Errno(errno)
	}
	return nil
}}

// credentials are a struct ucred.
var credentials = &form[Credentials]{12, nil, func(b []byte) Credentials {
	if len(b) < 12 {
		return Credentials{}
	}
	return Credentials{intOf(b), int(binary.NativeEndian.Uint32(b[4:])), int(binary.NativeEndian.Uint32(b[8:]))}
}}
