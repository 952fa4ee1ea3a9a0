package socket

import (
	"syscall"
	"time"
)

// Options of TCP.
var (
	// NoDelay is TCP_NODELAY: what is sent leaves at once, instead of waiting to be joined
	// by more. It is on from the beginning.
	NoDelay = Option[bool]{ofTCP("TCP_NODELAY", syscall.TCP_NODELAY, boolean)}

	// Cork is TCP_CORK, or TCP_NOPUSH as other systems than Linux call it: nothing but full
	// packets leave, until it is off again. Linux waits for 200 ms at most.
	Cork = Option[bool]{ofTCP(tcpCorkName, tcpCork, boolean)}

	// QuickAck is TCP_QUICKACK: what was received is acknowledged at once. The system may
	// switch it off again by itself. Linux.
	QuickAck = Option[bool]{ofTCP("TCP_QUICKACK", tcpQuickAck, boolean)}

	// MaxSegment is TCP_MAXSEG: the most bytes in a packet. What Get returns before the
	// connection is made is a default.
	MaxSegment = Option[int]{ofTCP("TCP_MAXSEG", syscall.TCP_MAXSEG, integer)}

	// KeepAliveIdle is TCP_KEEPIDLE, or TCP_KEEPALIVE on macOS, in seconds: after how long
	// an idle connection is asked for the first time, with KeepAlive.
	KeepAliveIdle = Option[time.Duration]{ofTCP(tcpKeepIdleName, tcpKeepIdle, duration(time.Second))}

	// KeepAliveInterval is TCP_KEEPINTVL, in seconds: how long until it is asked again if
	// it has not answered.
	KeepAliveInterval = Option[time.Duration]{ofTCP("TCP_KEEPINTVL", tcpKeepInterval, duration(time.Second))}

	// KeepAliveCount is TCP_KEEPCNT: how many times it is asked before it counts as
	// broken.
	KeepAliveCount = Option[int]{ofTCP("TCP_KEEPCNT", tcpKeepCount, integer)}

	// UserTimeout is TCP_USER_TIMEOUT, in milliseconds: a connection is broken if what was
	// sent has not been acknowledged for so long. 0 leaves it to the system. RFC 5482.
	// Linux.
	UserTimeout = Option[time.Duration]{ofTCP("TCP_USER_TIMEOUT", tcpUserTimeout, duration(time.Millisecond))}

	// DeferAccept is TCP_DEFER_ACCEPT, in seconds: a listener has no connection to accept
	// until the client has sent something, or the time is up. The system makes it as long
	// as so and so many attempts to reach the client take. 0 is off. Linux.
	DeferAccept = Option[time.Duration]{ofTCP("TCP_DEFER_ACCEPT", tcpDeferAccept, duration(time.Second))}

	// FastOpen is TCP_FASTOPEN: a listener takes data with the first packet of a client
	// that it knows, from as many at a time as is set. 0 is off, and on other systems than
	// Linux every other value is on. RFC 7413.
	FastOpen = Option[int]{ofTCP("TCP_FASTOPEN", tcpFastOpen, integer)}

	// FastOpenConnect is TCP_FASTOPEN_CONNECT: Connect returns at once if it knows the
	// server, and what is sent first goes with the first packet. Linux.
	FastOpenConnect = Option[bool]{ofTCP("TCP_FASTOPEN_CONNECT", tcpFastOpenConnect, boolean)}

	// Congestion is TCP_CONGESTION: the name of the algorithm that decides how fast to
	// send, such as "cubic". Linux and FreeBSD.
	Congestion = Option[string]{ofTCP("TCP_CONGESTION", tcpCongestion, text(16))}

	// Info is TCP_INFO: how the connection is doing. Linux.
	Info = ReadOnly[TCPInfo]{ofTCP("TCP_INFO", tcpInfo, tcpInformation)}
)
