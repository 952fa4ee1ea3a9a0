package socket

import (
	"syscall"
	"time"
)

// Options for TCP sockets.
var (
	// NoDelay is TCP_NODELAY: data is sent at once, instead of waiting for more to send with it.
	// The default is on.
	NoDelay = Option[bool]{ofTCP("TCP_NODELAY", syscall.TCP_NODELAY, boolean)}

	// Cork is TCP_CORK, or TCP_NOPUSH on systems other than Linux: only full packets are sent until
	// it is turned off again. Linux holds data back for at most 200 ms.
	Cork = Option[bool]{ofTCP(tcpCorkName, tcpCork, boolean)}

	// QuickAck is TCP_QUICKACK: received data is acknowledged at once. The system may turn it off
	// again. Linux only.
	QuickAck = Option[bool]{ofTCP("TCP_QUICKACK", tcpQuickAck, boolean)}

	// MaxSegment is TCP_MAXSEG: the maximum segment size in bytes. Before the connection is made,
	// Get returns a default.
	MaxSegment = Option[int]{ofTCP("TCP_MAXSEG", syscall.TCP_MAXSEG, integer)}

	// KeepAliveIdle is TCP_KEEPIDLE, or TCP_KEEPALIVE on macOS, in seconds: how long a connection
	// must be idle before the first probe, if KeepAlive is on.
	KeepAliveIdle = Option[time.Duration]{ofTCP(tcpKeepIdleName, tcpKeepIdle, duration(time.Second))}

	// KeepAliveInterval is TCP_KEEPINTVL, in seconds: the time between probes that are not
	// answered.
	KeepAliveInterval = Option[time.Duration]{ofTCP("TCP_KEEPINTVL", tcpKeepInterval, duration(time.Second))}

	// KeepAliveCount is TCP_KEEPCNT: how many probes may go unanswered before the connection is
	// broken.
	KeepAliveCount = Option[int]{ofTCP("TCP_KEEPCNT", tcpKeepCount, integer)}

	// UserTimeout is TCP_USER_TIMEOUT, in milliseconds: how long sent data may go unacknowledged
	// before the connection is broken. With 0 the system decides. RFC 5482. Linux only.
	UserTimeout = Option[time.Duration]{ofTCP("TCP_USER_TIMEOUT", tcpUserTimeout, duration(time.Millisecond))}

	// DeferAccept is TCP_DEFER_ACCEPT, in seconds: a listener accepts a connection only when the
	// client has sent data or the time is over. The system rounds the time to a number of
	// retransmissions. 0 is off. Linux only.
	DeferAccept = Option[time.Duration]{ofTCP("TCP_DEFER_ACCEPT", tcpDeferAccept, duration(time.Second))}

	// FastOpen is TCP_FASTOPEN: a listener accepts data in the first packet of a known client. The
	// value is the maximum number of such connections that are pending; 0 is off. On systems other
	// than Linux every other value means on. RFC 7413.
	FastOpen = Option[int]{ofTCP("TCP_FASTOPEN", tcpFastOpen, integer)}

	// FastOpenConnect is TCP_FASTOPEN_CONNECT: if the server is known, Connect returns at once and
	// the first data is sent with the first packet. Linux only.
	FastOpenConnect = Option[bool]{ofTCP("TCP_FASTOPEN_CONNECT", tcpFastOpenConnect, boolean)}

	// Congestion is TCP_CONGESTION: the name of the congestion control algorithm, such as "cubic".
	// Linux and FreeBSD only.
	Congestion = Option[string]{ofTCP("TCP_CONGESTION", tcpCongestion, text(16))}

	// Info is TCP_INFO: the state and statistics of the connection. Linux only.
	Info = ReadOnly[TCPInfo]{ofTCP("TCP_INFO", tcpInfo, tcpInformation)}
)
