package poll

import (
	"context"
	"io"
	"syscall"
	"time"

	"github.com/curio-go/curio/internal/wait"
)

// The calls of this file move messages: bytes with an address, ancillary data and
// flags, by recvmsg(2) and sendmsg(2). All that recvfrom(2), sendto(2), recv(2) and
// send(2) can do beyond read(2) and write(2), these two can do as well, for some 50 ns
// more; so there is one mechanism and not four.

var (
	receiving = operation{state: "READ_WAIT", call: receiveOnce, eager: true}
	sending   = operation{state: "WRITE_WAIT", call: sendOnce}
)

// A Message is one message to move and what has become of it. It is for one operation at a time,
// and must not be copied: the system's form of it points into it. Clear makes it as good as new,
// except for memory that it keeps.
//
// What the system gets are pointers in structures that the collector knows, all of them
// in the heap. Only the address of hdr becomes a number, in the argument of the call.
type Message struct {
	Buffers [][]byte // where the bytes come from or go, one after the other
	Control []byte   // the ancillary data, or the room for it
	Flags   int      // of the call
	Stream  bool     // the socket has no message boundaries: a part may be moved
	Unix    bool     // the socket is of the Unix domain
	All     bool     // go on until all has been moved; for streams
	Name    Name     // where to or where from; empty for none

	// Results. N is how many bytes were moved, ControlN how many of Control were
	// filled, Got the flags that came with the message.
	N        int
	ControlN int
	Got      int

	one  [1][]byte
	hdr  syscall.Msghdr
	iov  []syscall.Iovec
	size int      // of Buffers
	rest [][]byte // of Buffers, what is to be moved; without the first skip bytes
	skip int
}

// SetBuffer makes p the only buffer.
func (m *Message) SetBuffer(p []byte) {
	m.one[0] = p
	m.Buffers = m.one[:]
}

// Clear lets go of all that m points to.
func (m *Message) Clear() {
	iov := m.iov
	clear(iov)
	*m = Message{iov: iov[:0]}
}

// maxIovecs is how many pieces the system takes at once: IOV_MAX, everywhere.
const maxIovecs = 1024

// prepare makes the system's form of m, for the first call. The system leaves that as it
// is until the call completes.
func (m *Message) prepare(receive bool) {
	m.size, m.rest, m.skip = 0, m.Buffers, 0
	for _, p := range m.Buffers {
		m.size += len(p)
	}
	m.header(receive, true)
}

// goOn is prepare for the next call, after one that has moved n bytes. Ancillary data is
// sent once.
func (m *Message) goOn(n int, receive bool) {
	m.skip += n
	for len(m.rest) > 0 && m.skip >= len(m.rest[0]) {
		m.skip -= len(m.rest[0])
		m.rest = m.rest[1:]
	}
	m.header(receive, receive)
}

func (m *Message) header(receive, control bool) {
	clear(m.iov) // what it points to may be moved and gone
	m.iov = m.iov[:0]
	skip, room := m.skip, maxTransfer
	for _, p := range m.rest {
		p, skip = p[skip:], 0
		if m.Stream {
			if room == 0 || len(m.iov) == maxIovecs {
				break // the rest is for the next call; of a message nothing can be left out
			}
			p = p[:min(len(p), room)]
			room -= len(p)
		}
		if len(p) == 0 {
			continue
		}
		v := syscall.Iovec{Base: &p[0]}
		v.SetLen(len(p))
		m.iov = append(m.iov, v)
	}
	if len(m.iov) == 0 {
		m.iov = append(m.iov, syscall.Iovec{}) // macOS refuses a message without any
	}
	m.hdr = syscall.Msghdr{Iov: &m.iov[0]}
	setCount(&m.hdr.Iovlen, len(m.iov))
	if receive {
		m.Name.n = syscall.SizeofSockaddrAny
	}
	if m.Name.n > 0 {
		m.hdr.Name, m.hdr.Namelen = m.Name.pointer(), m.Name.n
	}
	if len(m.Control) > 0 && control {
		m.hdr.Control = &m.Control[0]
		m.hdr.SetControllen(len(m.Control))
	}
}

// setCount is for a field whose type depends on the system.
func setCount[T int32 | uint32 | uint64](field *T, n int) { *field = T(n) }

// notReceived are flags of the call that some systems return with the flags of the message.
const notReceived = syscall.MSG_DONTWAIT | syscall.MSG_PEEK | syscall.MSG_WAITALL | closedOnExec

// received takes what the system has written into hdr.
func (m *Message) received() {
	m.Name.n = m.hdr.Namelen
	m.ControlN = int(m.hdr.Controllen)
	m.Got |= int(m.hdr.Flags) &^ notReceived // with All of all calls
	if m.ControlN > 0 && !liftDescriptors(m.Control[:m.ControlN]) {
		m.Got |= syscall.MSG_CTRUNC
	}
}

// isFlags reports whether flags fit into a C int: the system would not see any other bits.
func isFlags(flags int) bool { return flags == int(int32(flags)) }

// dontWait reports whether the call is not to wait.
func dontWait(flags int) bool { return flags&syscall.MSG_DONTWAIT != 0 }

// RecvMsg receives one message, or with All as much as the buffers take, with
// recvmsg(2). With MSG_DONTWAIT it returns EAGAIN where it would wait. Descriptors that
// come with the message are closed on exec, and never have the number of a standard stream.
// At the end of a stream N is 0; at the end of a sequenced-packet connection the error is
// io.EOF.
func (f *FD) RecvMsg(ctx context.Context, m *Message) error {
	d := &f.reader
	m.N, m.ControlN, m.Got, m.Name.n = 0, 0, 0, 0
	if !isFlags(m.Flags) {
		return syscall.EINVAL
	}
	if err := d.enterNow(ctx, &receiving, dontWait(m.Flags)); err != nil {
		return err
	}
	m.prepare(true)
	d.arg = m
	err := d.run()
	m.N = d.n
	err = d.leave(err)
	if err != nil && m.N == 0 {
		m.Name.n = 0
	}
	return err
}

// receiveOnce goes on, with All, to the end of the stream or of the buffers, and to
// the first ancillary data, which the next call would overwrite.
func receiveOnce(d *direction, fd int) bool {
	m := d.arg.(*Message)
	if d.owes() {
		return true
	}
	for {
		n, errno := receive(fd, m)
		if !d.completed(n, errno) {
			return d.refused(m.Flags)
		}
		if errno != 0 {
			return true
		}
		m.N = d.n
		m.received()
		d.endsWith(fd, m)
		if !m.All || n == 0 || d.n >= m.size || m.ControlN > 0 || !d.mayGoOn() {
			return true
		}
		m.goOn(n, true)
	}
}

// refused is for EAGAIN: it reports true, and what there is to say, if the call must
// not wait.
func (d *direction) refused(flags int) bool {
	if !dontWait(flags) {
		return false
	}
	if d.n == 0 {
		d.err = syscall.EAGAIN
	}
	return true
}

// enterNow is enter, but if now is set it does not queue for the turn. Its holder is about to
// take what there is, or waits because there is nothing.
func (d *direction) enterNow(ctx context.Context, op *operation, now bool) error {
	if !now {
		return d.enter(ctx, op)
	}
	place, err := wait.At(ctx)
	if err != nil {
		return err
	}
	followed := place.Untrusted()
	if followed {
		place = place.FollowNow()
	}
	if !d.turn.Try() {
		if followed {
			return place.Leave(syscall.EAGAIN)
		}
		return syscall.EAGAIN
	}
	d.place, d.op, d.followed = place, op, followed
	return nil
}

// SendMsg sends one message, or with All all of its buffers, with sendmsg(2). With
// MSG_DONTWAIT it returns EAGAIN where it would wait.
func (f *FD) SendMsg(ctx context.Context, m *Message) error {
	m.N = 0
	pause := pauseForRoom()
	for {
		err := f.sendMsg(ctx, m)
		if !m.unannounced(err) {
			return err
		}
		if err := pause.Sleep(ctx); err != nil {
			return err
		}
	}
}

func (f *FD) sendMsg(ctx context.Context, m *Message) error {
	d := &f.writer
	if !isFlags(m.Flags) {
		return syscall.EINVAL
	}
	if err := d.enterNow(ctx, &sending, dontWait(m.Flags)); err != nil {
		return err
	}
	m.prepare(false)
	d.arg = m
	err := d.run()
	m.N = d.n
	return d.leave(err)
}

func sendOnce(d *direction, fd int) bool {
	m := d.arg.(*Message)
	for {
		n, errno := send1(fd, m)
		if errno == syscall.EAGAIN && m.unannounced(errno) {
			d.err = errno
			return true
		}
		switch {
		case !d.completed(n, errno):
			return d.refused(m.Flags)
		case errno != 0 || !m.All || d.n >= m.size:
			return true
		case n == 0:
			d.err = io.ErrUnexpectedEOF // as writeAll
			return true
		case !d.mayGoOn():
			return true
		}
		m.goOn(n, false)
	}
}

// unannounced reports whether err means that the receiver's queue is full and that
// nothing tells of room in it. A datagram socket of the Unix domain is writable as
// long as it has room of its own: only if it is connected, on Linux, does it wait for
// its receiver too. The BSDs return ENOBUFS at once in every case.
func (m *Message) unannounced(err error) bool {
	if err == nil || !m.Unix || m.Stream || dontWait(m.Flags) {
		return false
	}
	return err == syscall.EAGAIN && m.Name.n > 0 || err == syscall.ENOBUFS && bsd
}

// pauseForRoom returns how long to wait before a message is sent again that was unannounced.
func pauseForRoom() wait.Pause {
	return wait.Pause{First: 100 * time.Microsecond, Most: 20 * time.Millisecond}
}
