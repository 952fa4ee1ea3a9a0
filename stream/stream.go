package stream

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/foreign"
	"github.com/curio-go/curio/internal/wait"
	"github.com/curio-go/curio/socket"
)

// A Transport is a connection that a [Stream] reads from and writes to. [*socket.Socket] and every
// network.Conn implement it. Its methods must be safe for concurrent use: each may be called while
// another one waits.
//
// A Stream also uses these optional methods: WaitRead(ctx) error, to wait without holding a buffer;
// CloseWrite(ctx) error; CloseContext(ctx) error, which is like Close but may wait until ctx is
// done; LocalAddr and RemoteAddr.
type Transport interface {
	// Recv waits until there is something to receive, copies as much of it into buf as fits, and
	// returns the number of bytes. At the end it returns io.EOF. If ctx is done first, it returns
	// an error that wraps ctx's error and has received nothing.
	Recv(ctx context.Context, buf []byte) (int, error)

	// SendAll sends all of buf. If ctx is done or sending fails halfway, it returns the error and
	// how many bytes it has sent, or has accepted to send before anything else. A Stream then calls
	// it again from Flush, CloseContext and similar methods, even with an empty buf.
	SendAll(ctx context.Context, buf []byte) (int, error)

	// Close closes the transport. Recv and SendAll calls in progress fail with net.ErrClosed.
	Close() error
}

// A Stream is a buffered stream of bytes over a [Transport]. Streams come from [New], [FromConn]
// and [FromFile]. The zero value is not a stream: its methods return an error. A Stream must not be
// copied. It is safe for concurrent use: one task may read while another writes. Tasks that read do
// so one at a time, in the order in which they called; so do tasks that write.
//
// It is Curio's SocketStream and FileStream.
type Stream struct {
	// Set at birth. transport is nil in the zero value.
	transport Transport
	waiter    interface{ WaitRead(context.Context) error } // transport, nil if it cannot
	exact     bool                                         // transport keeps nothing that it reports as sent

	// The settings.
	lineLimit   atomic.Int64
	writeBuffer atomic.Int64

	// open ──► closed once, by CloseContext, Close or Detach. A close sets it before it looks
	// at unsent, and who adds to out sets unsent before it looks at closed: so what has been
	// added is sent or counted by the close, or taken back.
	closed atomic.Bool
	unsent atomic.Int64 // the length of out, for code that does not hold writing
	cut    atomic.Bool  // the last SendAll has failed, so transport may keep something; set with writing held

	// Order: writing < the transport's locks, reading < the transport's locks.
	reading curio.Lock
	in      buffer // received, and not yet read

	writing curio.Lock
	out     buffer // written, and not yet sent
}

// String describes s and its transport. It may be called while other tasks use s.
func (s *Stream) String() string {
	if t, ok := s.transport.(fmt.Stringer); ok {
		return "stream over " + t.String()
	}
	return fmt.Sprintf("stream over a %T", s.transport)
}

// New makes a stream over t and takes ownership of it: Close closes t. Data that is received from t
// without the stream is missing from the stream. New panics if t is nil, or if t moves messages, as
// a datagram socket does: a stream would split and join them.
func New(t Transport) *Stream {
	if t == nil {
		panic("curio/stream: New with a nil Transport")
	}
	mustStream("New", t)
	s := &Stream{transport: t}
	s.waiter, _ = t.(interface{ WaitRead(context.Context) error })
	switch t.(type) {
	case *socket.Socket, *file, interface{ KeepsNothing() }: // the last one is for package subprocess
		s.exact = true
	}
	return s
}

// FromConn makes a stream over any net.Conn and takes ownership of it, including its deadlines:
// when an operation's context is done, the stream interrupts the operation with a deadline. If c
// does not support deadlines or does not react within five seconds, the stream closes it.
//
// FromConn panics if c is nil or moves messages, which it assumes if the Network of c's LocalAddr
// is "udp", "ip", "unixgram" or "unixpacket". For a protocol that makes a stream from datagrams and
// reports their addresses, wrap the net.Conn in a type that embeds it and has its own LocalAddr.
//
// TLS does not recover from a handshake or a write that was interrupted: on a *tls.Conn, all writes
// fail after one that was cancelled halfway. Reads still work.
func FromConn(c net.Conn) *Stream {
	if c == nil {
		panic("curio/stream: FromConn with a nil net.Conn")
	}
	mustStream("FromConn", c)
	return New(foreign.New(c))
}

func mustStream(call string, t any) {
	if foreign.Datagrams(t) {
		panic("curio/stream: " + call + " of a connection that moves messages, not a stream of bytes; use its Recv and SendAll, or RecvFrom and SendTo of a *socket.Socket; network.FromConn takes a net.Conn")
	}
}

// DefaultLineLimit is the maximum length of a line in bytes, unless SetLineLimit changes it.
const DefaultLineLimit = 64 << 10

// NoLimit means that there is no limit, for SetLineLimit and ReadAll.
const NoLimit = -1

// SetLineLimit sets the maximum length in bytes of a line, or of what ReadUntil returns, including
// the end of the line. 0 means DefaultLineLimit. With NoLimit a peer that never sends an end of
// line can use up all memory. The setting applies from the next call on. SetLineLimit panics if n
// is less than NoLimit.
func (s *Stream) SetLineLimit(n int) {
	if n < NoLimit {
		panic(fmt.Sprintf("curio/stream: a line limit of %d; use NoLimit for no limit", n))
	}
	s.lineLimit.Store(int64(n))
}

// maxLine is the limit, 0 for none.
func (s *Stream) maxLine() int {
	switch n := s.lineLimit.Load(); n {
	case 0:
		return DefaultLineLimit
	case NoLimit:
		return 0
	default:
		return int(n)
	}
}

// SetWriteBuffer makes the stream collect up to n bytes of written data before it sends them. Only
// Flush and CloseContext then guarantee that all data is sent. With 0, the default, each write
// sends its data at once; data collected before is sent first. SetWriteBuffer panics if n is
// negative.
func (s *Stream) SetWriteBuffer(n int) {
	if n < 0 {
		panic(fmt.Sprintf("curio/stream: a write buffer of %d bytes; 0 is none", n))
	}
	s.writeBuffer.Store(int64(n))
}

// Buffered returns how many bytes have been received and can be read without waiting. It returns 0
// while another task reads.
func (s *Stream) Buffered() int {
	ctx := context.Background()
	if !s.reading.TryAcquire(ctx) {
		return 0
	}
	defer s.reading.Release(ctx)
	return s.in.len()
}

// Detach returns the transport to a caller that continues without the stream, for example after a
// protocol upgrade. Afterwards the stream behaves as if closed. Detach fails if data would be lost:
// the error wraps ErrUnread if there is received data that has not been read, and ErrUnsent if
// there is written data that has not been sent. It wraps ErrBusy while another task reads or
// writes, and net.ErrClosed if the stream is closed. It corresponds to Curio's blocking scope,
// without the change of mode.
func (s *Stream) Detach() (Transport, error) {
	if err := s.usable(); err != nil {
		return nil, s.failed("detach", err)
	}
	ctx := context.Background()
	if !s.reading.TryAcquire(ctx) {
		return nil, s.failed("detach", errReading)
	}
	defer s.reading.Release(ctx)
	if !s.writing.TryAcquire(ctx) {
		return nil, s.failed("detach", errWriting)
	}
	defer s.writing.Release(ctx)
	var err error
	switch {
	case s.in.len() > 0:
		err = fmt.Errorf("%w: %d bytes were received and have not been read", ErrUnread, s.in.len())
	case s.out.len() > 0:
		err = &unsentError{n: int64(s.out.len()), err: ErrUnsent}
	case s.closed.Swap(true):
		err = net.ErrClosed
	default:
		return s.transport, nil
	}
	return nil, s.failed("detach", err)
}

// CloseContext sends the written data that has not been sent, as Flush does, and closes the
// transport. If ctx is done or sending fails first, it closes the transport all the same, and the
// error gives the cause and the number of bytes that were not sent. If the transport sends
// something when it closes, as TLS does, CloseContext waits for that too, until ctx is done.
//
// Operations in progress and all later ones fail with net.ErrClosed, including a second close.
// CloseContext waits for a Flush in progress.
func (s *Stream) CloseContext(ctx context.Context) error {
	if err := s.close(); err != nil {
		return err
	}
	_, err := wait.At(ctx)
	if err == nil && s.isIncomplete() {
		err = s.lastFlush(ctx)
	}
	if err == nil {
		return s.hangUp(ctx)
	}
	return s.incomplete(err, s.unsent.Load(), s.transport.Close())
}

// Close closes the transport at once. If there is written data that has not been sent, it is lost:
// the error wraps ErrUnsent and gives the number of bytes. Call CloseContext after the last write;
// a deferred Close then only returns net.ErrClosed.
//
// Operations in progress and all later ones fail with net.ErrClosed. Close calls the transport's
// own Close, which may wait to send something. It implements io.Closer.
func (s *Stream) Close() error {
	if err := s.close(); err != nil {
		return err
	}
	if s.isIncomplete() {
		return s.incomplete(ErrUnsent, s.unsent.Load(), s.transport.Close())
	}
	return s.transport.Close()
}

// close notes that s is closed, once.
func (s *Stream) close() error {
	err := s.usable()
	if err == nil && s.closed.Swap(true) {
		err = net.ErrClosed
	}
	if err != nil {
		return s.failed("close", err)
	}
	return nil
}

// isIncomplete reports whether something is still to be sent, by s or by its transport.
func (s *Stream) isIncomplete() bool { return s.unsent.Load() > 0 || s.cut.Load() }

// hangUp closes the transport when all has been sent.
func (s *Stream) hangUp(ctx context.Context) error {
	if t, ok := s.transport.(interface{ CloseContext(context.Context) error }); ok {
		return t.CloseContext(ctx)
	}
	return s.transport.Close()
}

// lastFlush comes after those who write at the moment.
func (s *Stream) lastFlush(ctx context.Context) error {
	if err := s.writing.Acquire(ctx); err != nil {
		return err
	}
	defer s.writing.Release(ctx)
	return s.sendOut(ctx)
}

// LocalAddr returns the transport's local address, or nil if it has none.
func (s *Stream) LocalAddr() net.Addr {
	if t, ok := s.transport.(interface{ LocalAddr() net.Addr }); ok {
		return t.LocalAddr()
	}
	return nil
}

// RemoteAddr returns the address of the transport's peer, or nil if it has none.
func (s *Stream) RemoteAddr() net.Addr {
	if t, ok := s.transport.(interface{ RemoteAddr() net.Addr }); ok {
		return t.RemoteAddr()
	}
	return nil
}
