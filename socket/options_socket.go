package socket

import (
	"encoding/binary"
	"syscall"
	"time"
)

// Options for sockets of every type.
var (
	// ReuseAddr is SO_REUSEADDR: Bind accepts a port on which connections of an earlier listener
	// still exist. Set it before Bind.
	ReuseAddr = Option[bool]{ofSocket("SO_REUSEADDR", syscall.SO_REUSEADDR, boolean)}

	// ReusePort is SO_REUSEPORT: several sockets may be bound to one port if all of them set it.
	// Linux distributes connections among them. Set it before Bind.
	ReusePort = Option[bool]{ofSocket("SO_REUSEPORT", soReusePort, boolean)}

	// Broadcast is SO_BROADCAST: a datagram socket may send to broadcast addresses.
	Broadcast = Option[bool]{ofSocket("SO_BROADCAST", syscall.SO_BROADCAST, boolean)}

	// KeepAlive is SO_KEEPALIVE: the system probes idle connections to find out whether the peer
	// still exists. KeepAliveIdle, KeepAliveInterval and KeepAliveCount control the probes.
	KeepAlive = Option[bool]{ofSocket("SO_KEEPALIVE", syscall.SO_KEEPALIVE, boolean)}

	// Linger is SO_LINGER, in whole seconds: how long Close waits at most for sent data to arrive.
	// This wait cannot be cancelled, and it occupies a thread. With 0, Close discards unsent data
	// and resets the connection. If it is negative, which is the default, Close returns at once and
	// the system sends the rest in the background.
	Linger = Option[time.Duration]{ofSocket("SO_LINGER", soLinger, lingering)}

	// RecvBufferSize is SO_RCVBUF: the size in bytes of the system's buffer for data that has not
	// been received. Linux doubles the value to allow for bookkeeping and enforces a minimum; Get
	// returns the result.
	RecvBufferSize = Option[int]{ofSocket("SO_RCVBUF", syscall.SO_RCVBUF, integer)}

	// SendBufferSize is SO_SNDBUF: the size in bytes of the system's buffer for data that has not
	// been acknowledged. Linux doubles the value, as for RecvBufferSize.
	SendBufferSize = Option[int]{ofSocket("SO_SNDBUF", syscall.SO_SNDBUF, integer)}

	// RecvLowWater is SO_RCVLOWAT: the number of bytes that must have arrived on a stream before a
	// waiting call receives them.
	RecvLowWater = Option[int]{ofSocket("SO_RCVLOWAT", syscall.SO_RCVLOWAT, integer)}

	// RecvTimestamp is SO_TIMESTAMP: each received message comes with its time of arrival, in
	// microseconds, as ancillary data.
	RecvTimestamp = Option[bool]{ofSocket("SO_TIMESTAMP", syscall.SO_TIMESTAMP, boolean)}

	// RecvTimestampNS is SO_TIMESTAMPNS: like RecvTimestamp, in nanoseconds. Linux only.
	RecvTimestampNS = Option[bool]{ofSocket("SO_TIMESTAMPNS", soTimestampNS, boolean)}

	// PassCredentials is SO_PASSCRED: each message received on a Unix socket comes with the
	// Credentials of its sender, as ancillary data. Linux only.
	PassCredentials = Option[bool]{ofSocket("SO_PASSCRED", soPassCred, boolean)}

	// Priority is SO_PRIORITY: the priority of the packets that the socket sends, in the
	// interface's queues. Values above 6 require CAP_NET_ADMIN. Linux only.
	Priority = Option[int]{ofSocket("SO_PRIORITY", soPriority, integer)}

	// Mark is SO_MARK: a number that marks the packets that the socket sends, for routing and
	// packet filters. It requires CAP_NET_ADMIN. Linux only.
	Mark = Option[uint32]{ofSocket("SO_MARK", soMark, word)}

	// BindToDevice is SO_BINDTODEVICE: the name of the only interface through which the socket
	// sends and receives, or "" for any. Linux only.
	BindToDevice = Option[string]{ofSocket("SO_BINDTODEVICE", soBindToDevice, text(16))}

	// IncomingCPU is SO_INCOMING_CPU: the number of the CPU that processes the socket's incoming
	// packets. Among several sockets on one port, the system prefers the one whose setting matches.
	// Linux only.
	IncomingCPU = Option[int]{ofSocket("SO_INCOMING_CPU", soIncomingCPU, integer)}

	// BusyPoll is SO_BUSY_POLL, in microseconds: how long to poll the interface for packets instead
	// of waiting for an interrupt. It requires CAP_NET_ADMIN. Linux only.
	BusyPoll = Option[time.Duration]{ofSocket("SO_BUSY_POLL", soBusyPoll, duration(time.Microsecond))}
)

// Properties of sockets of every type.
var (
	// Type is SO_TYPE: SOCK_STREAM and so on.
	Type = ReadOnly[int]{ofSocket("SO_TYPE", syscall.SO_TYPE, integer)}

	// Protocol is SO_PROTOCOL: IPPROTO_TCP and so on. Linux and FreeBSD only.
	Protocol = ReadOnly[int]{ofSocket("SO_PROTOCOL", soProtocol, integer)}

	// Domain is SO_DOMAIN: AF_INET and so on. Linux and FreeBSD only.
	Domain = ReadOnly[int]{ofSocket("SO_DOMAIN", soDomain, integer)}

	// Accepting is SO_ACCEPTCONN: whether Listen has been called.
	Accepting = ReadOnly[bool]{ofSocket("SO_ACCEPTCONN", soAcceptConn, boolean)}

	// PendingError is SO_ERROR: the error that has occurred since the last operation, as a
	// syscall.Errno, or nil. Reading it clears it, so that the next operation no longer returns it.
	PendingError = ReadOnly[error]{ofSocket("SO_ERROR", syscall.SO_ERROR, pending)}

	// PeerCredentials is SO_PEERCRED: the credentials of the peer of a Unix connection, as they
	// were when the connection was made. Linux only.
	PeerCredentials = ReadOnly[Credentials]{ofSocket("SO_PEERCRED", soPeerCred, credentials)}
)

// Credentials identify a process: its process ID, and the user and group that it runs as.
type Credentials struct {
	PID, UID, GID int // the process, user and group IDs
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
