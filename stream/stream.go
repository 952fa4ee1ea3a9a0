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

// A Transport is what a Stream reads from and writes to: a [*socket.Socket] is one, and
// so is every network.Conn. Each method can be called while another one waits.
//
// A Stream also uses these methods if a Transport has them: WaitRead(ctx) error, to wait
// without holding a buffer; CloseWrite(ctx) error; CloseContext(ctx) error, which is like
// Close but may wait as long as ctx allows; LocalAddr and RemoteAddr.
type Transport interface {
	// Recv waits until there is something to receive, puts as much of it into buf as
	// fits, and returns how many bytes that was. At the end it returns io.EOF. If it
	// is cancelled it has received nothing.
	Recv(ctx context.Context, buf []byte) (int, error)

	// SendAll sends all of buf. If it is cut short, it returns how much was sent, or
	// accepted to be sent before anything else. A Stream then calls it again, in Flush,
	// CloseContext and the like, even if it has only an empty buf.
	SendAll(ctx context.Context, buf []byte) (int, error)

	// Close closes the transport. Recv and SendAll in progress end with
	// net.ErrClosed.
	Close() error
}

// A Stream is a buffered stream of bytes over a Transport. Streams come from New, FromConn
// and FromFile. The zero value is none: its methods return an error. A Stream must not be
// copied. It is safe for concurrent use: one task may read while another writes, and those
// who do the same take turns, in the order in which they came.
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
	unsent atomic.Int64 // the length of out, for who does not hold writing
	cut    atomic.Bool  // the last SendAll has failed, so transport may keep something; set with writing held

	// Order: writing < the transport's locks, reading < the transport's locks.
	reading curio.Lock
	in      buffer // received, and not yet read

	writing curio.Lock
	out     buffer // written, and not yet sent
}

// String says what s is over. A stream can be printed while others use it.
func (s *Stream) String() string {
	if t, ok := s.transport.(fmt.Stringer); ok {
		return "stream over " + t.String()
	}
	return fmt.Sprintf("stream over a %T", s.transport)
}

// New makes a stream over t, and takes t over: Close closes it. What is received by
// other ways than the stream is missing in it. It panics if t is nil, or if t moves
// messages, as a datagram socket does: reading these as a stream would cut and join them.
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

// FromConn makes a stream over a connection of package net, or of any other package, and
// takes it over, deadlines included: when an operation's context is done, a deadline
// interrupts it. A connection that has no deadlines, like a few types of other packages, or
// does not heed them within five seconds, is closed instead. Like New, FromConn panics if c
// is nil or moves messages; it assumes that c does if the Network of its LocalAddr is
// "udp", "ip", "unixgram" or "unixpacket". If a protocol makes a stream of datagrams and
// has their addresses, wrap it in a type that embeds the net.Conn and has a LocalAddr of
// its own.
//
// TLS does not recover from a handshake or from a write that was cut short halfway: with a
// *tls.Conn all writes that follow one that was cancelled in the middle fail. Reading goes
// on as if nothing had happened.
func FromConn(c net.Conn) *Stream {
	if c == nil {
		panic("curio/stream: FromConn with a nil net.Conn")
	}
	mustStream("FromConn", c)
	return New(foreign.New(c))
}

func mustStream(call string, t any) {
	if foreign.Datagrams(t) {
		panic("curio/stream: " + call + " of a connection that moves messages and no stream of bytes; use its Recv and SendAll, or RecvFrom and SendTo of a *socket.Socket; network.FromConn takes a net.Conn")
	}
}

// DefaultLineLimit is how many bytes a line may have if SetLineLimit has not said
// otherwise.
const DefaultLineLimit = 64 << 10

// NoLimit is for SetLineLimit and ReadAll.
const NoLimit = -1

// SetLineLimit sets how many bytes a line, or what ReadUntil returns, may have at most,
// the end of the line included. 0 is DefaultLineLimit. With NoLimit a peer that sends no
// end of line can use up the memory. It counts from the next call on.
func (s *Stream) SetLineLimit(n int) {
	if n < NoLimit {
		panic(fmt.Sprintf("curio/stream: a line limit of %d; for none there is NoLimit", n))
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

// SetWriteBuffer makes the stream collect up to n bytes of what is written before it sends
// them. Then it takes a Flush to be sure that they are sent. With 0, as it is at first,
// they are sent at once; what has been collected until then is sent before the next
// write, and by Flush and CloseContext.
func (s *Stream) SetWriteBuffer(n int) {
	if n < 0 {
		panic(fmt.Sprintf("curio/stream: a write buffer of %d bytes; 0 is none", n))
	}
	s.writeBuffer.Store(int64(n))
}

// Buffered is how many bytes can be read without waiting: they have been received, and
// not read yet. While another task reads, it is 0.
func (s *Stream) Buffered() int {
	ctx := context.Background()
	if !s.reading.TryAcquire(ctx) {
		return 0
	}
	defer s.reading.Release(ctx)
	return s.in.len()
}

// Detach gives the transport back, for who goes on without a stream, as when a protocol
// is changed after a line. The stream is as closed after that. It is refused while there
// are bytes that were received and not read, with ErrUnread, or written and not sent, with
// ErrUnsent, as they would be lost, and with ErrBusy while another task reads or writes. It is
// Curio's blocking scope, without the change of mode.
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

// CloseContext sends what has been written and not sent yet, as Flush does, and closes the
// transport. If that fails, or ctx is done before, the transport is closed all the same,
// and the error says why, and how much has not been sent. If the transport has to send
// something at the end, as TLS does, CloseContext waits for that, too, as long as ctx allows.
//
// Operations in progress end with net.ErrClosed, and so do all later ones, a second close
// included. A Flush in progress is waited for.
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

// Close closes the transport at once. What has been written and not sent yet is lost, and then
// the error is ErrUnsent and says how much that was. With a deferred Close, call CloseContext
// when all has been written; the second close does nothing but return net.ErrClosed.
//
// Operations in progress end with net.ErrClosed, and so do all later ones. The transport's own
// Close is called, which may have something to send, too. It is for io.Closer.
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

// LocalAddr is the transport's local address, nil if it has none.
func (s *Stream) LocalAddr() net.Addr {
	if t, ok := s.transport.(interface{ LocalAddr() net.Addr }); ok {
		return t.LocalAddr()
	}
	return nil
}

// RemoteAddr is the address of the transport's other side, nil if it has none.
func (s *Stream) RemoteAddr() net.Addr {
	if t, ok := s.transport.(interface{ RemoteAddr() net.Addr }); ok {
		return t.RemoteAddr()
	}
	return nil
}
