package socket

import (
	"encoding/binary"
	"time"
)

// TCPInfo is how a TCP connection is doing: a part of struct tcp_info. What an older
// kernel does not tell is 0.
type TCPInfo struct {
	State string // as RFC 9293 names it, such as "ESTABLISHED" or "CLOSE-WAIT"

	RTT    time.Duration // how long an acknowledgement takes, on average
	RTTVar time.Duration // how much that varies
	MinRTT time.Duration // the shortest of late
	RTO    time.Duration // how long it waits for one before it sends again

	Retransmits      int // of what has not been acknowledged, how often it was sent again so far
	TotalRetransmits int // packets that were sent again, since the beginning

	SendMSS, RecvMSS int // the most bytes in a packet, each way
	PathMTU          int // the largest packet that gets through, in bytes

	CongestionWindow int // packets that may be on their way at a time
	Unacked          int // packets that are; for a listener, connections to be accepted
	Lost             int // those of them that seem to be lost
	NotSent          int // bytes that have not been sent for the first time

	BytesAcked    uint64 // sent and acknowledged, since the beginning
	BytesReceived uint64
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
