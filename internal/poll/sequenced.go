package poll

import (
	"io"
	"syscall"
)

// A socket of type SOCK_SEQPACKET has messages, which may be empty, and an end. When
// recvmsg(2) returns 0, it may be either, and its results do not tell which, unless the
// message has a named sender, ancillary data or a flag. So we ask:
//
//   - As long as the other side has not ended the connection, it was a message. On Linux
//     poll(2) tells (hungUp); elsewhere we know it from there being nothing to receive yet.
//   - If the other side has ended it, nothing more can come, and we look at the queue. If
//     there is something in it, it was a message: the end comes last.
//   - What is left are empty messages that come last, which look like the end. They are
//     taken for the end, so that nobody waits for it forever.
//
// We ask all that with the reader's turn held, so nobody receives the next message
// meanwhile.

func (f *FD) isSequenced() bool { return f.typ == syscall.SOCK_SEQPACKET }

// nothing reports whether m, which has been received, may be the end.
func (m *Message) nothing() bool {
	const told = syscall.MSG_CTRUNC | syscall.MSG_TRUNC | syscall.MSG_EOR
	return m.N == 0 && m.ControlN == 0 && m.Name.n == 0 && m.Got&told == 0
}

// endsWith sets the error to io.EOF if m, which was received just now, is the end.
func (d *direction) endsWith(fd int, m *Message) {
	if d.fd.isSequenced() && m.nothing() && Ended(fd, m.Flags&syscall.MSG_PEEK == 0) {
		d.err = io.EOF
	}
}

// Ended reports whether the end of the sequenced-packet socket fd has come, after a call to
// receive has returned nothing. taken says that this call has consumed what it returned, so
// that what is there now comes after it.
func Ended(fd int, taken bool) bool {
	return hungUp(fd) && queued(fd) == 0 && (!taken || !follows(fd))
}

// follows is called after an empty message. It reports whether there is another message to
// receive, or nothing yet. It consumes no message, and no descriptors either, as it has no
// room for any.
func follows(fd int) bool {
	var m Message
	var one [1]byte
	m.SetBuffer(one[:])
	m.Flags = syscall.MSG_PEEK
	m.prepare(true)
	n, errno := receive(fd, &m)
	if errno != 0 {
		return true
	}
	m.N = n
	m.received()
	return !m.nothing()
}
