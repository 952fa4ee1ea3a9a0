package socket

import (
	"encoding/binary"
	"time"
)

// TCPInfo holds the state and statistics of a TCP connection: a part of struct tcp_info. A field
// that an older kernel does not report is 0.
type TCPInfo struct {
	State string // as RFC 9293 names it, such as "ESTABLISHED" or "CLOSE-WAIT"

	RTT    time.Duration // smoothed round-trip time
	RTTVar time.Duration // mean deviation of the round-trip time
	MinRTT time.Duration // shortest recent round-trip time
	RTO    time.Duration // retransmission timeout

	Retransmits      int // retransmissions of data that is not yet acknowledged
	TotalRetransmits int // retransmitted packets since the connection was made

	SendMSS, RecvMSS int // maximum segment sizes in bytes
	PathMTU          int // largest packet that gets through, in bytes

	CongestionWindow int // packets that may be in flight
	Unacked          int // packets in flight; for a listener, connections to be accepted
	Lost             int // packets in flight that are presumed lost
	NotSent          int // bytes in the buffer that have not been sent yet

	BytesAcked    uint64 // bytes acknowledged since the connection was made
	BytesReceived uint64 // bytes received since the connection was made
}

// tcpStates are Linux's, in the order of its numbers.
var tcpStates = [...]string{
	"", "ESTABLISHED", "SYN-SENT", "SYN-RECEIVED", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT", "CLOSED",
	"CLOSE-WAIT", "LAST-ACK", "LISTEN", "CLOSING", "SYN-RECEIVED",
}

// tcpInfoSize is how much of Linux's struct tcp_info is of interest here. The struct
// grows at its end.
const tcpInfoSize = 152

var tcpInformation = &form[TCPInfo]{tcpInfoSize, nil, func(b []byte) (info TCPInfo) {
	full := make([]byte, tcpInfoSize)
	copy(full, b)
	number := func(at int) int { return int(binary.NativeEndian.Uint32(full[at:])) }
	micros := func(at int) time.Duration { return time.Duration(number(at)) * time.Microsecond }
	if state := int(full[0]); state < len(tcpStates) {
		info.State = tcpStates[state]
	}
	info.Retransmits = int(full[2])
	info.RTO = micros(8)
	info.SendMSS, info.RecvMSS = number(16), number(20)
	info.Unacked, info.Lost = number(24), number(32)
	info.PathMTU = number(60)
	info.RTT, info.RTTVar = micros(68), micros(72)
	info.CongestionWindow = number(80)
	info.TotalRetransmits = number(100)
	info.BytesAcked = binary.NativeEndian.Uint64(full[120:])
	info.BytesReceived = binary.NativeEndian.Uint64(full[128:])
	info.NotSent = number(144)
	info.MinRTT = micros(148)
	return info
}}
