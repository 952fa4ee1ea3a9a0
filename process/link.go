package process

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"syscall"

	"github.com/curio-go/curio/socket"
	"github.com/curio-go/curio/stream"
)

// A link is one end of the connection between this process and a worker: a socket that nobody else has.
// What goes over it are frames: a kind, the number of the call that it is about, the length of what
// follows, and that.
//
//	parent                        worker
//	greeting ──────────────────►             the settings
//	         ◄────────────────── hello       or why it will not serve
//	call     ──────────────────►             the next one only after the answer to the one before
//	         ◄────────────────── progress    at most window of them for which there was no room since
//	room     ──────────────────►             the caller has dealt with some of them
//	         ◄────────────────── result      or failure: the last one of a call
//
// A call is not cancelled by a frame, but by a signal, after which the worker is used no more.
type link struct {
	sock *socket.Socket
	in   *stream.Stream // over sock
	out  []byte         // for frames that are small, kept from one to the next; for one sender at a time
}

// version is the version of this protocol, which both ends have to speak.
const version = 1

// window is how many progress values may be on their way.
const window = 16

type kind byte

const (
	aGreeting kind = 'G'
	aHello    kind = 'H'
	aCall     kind = 'C'
	aRoom     kind = 'M'
	aProgress kind = 'P'
	aResult   kind = 'R'
	aFailure  kind = 'F'
)

func (k kind) exists() bool {
	switch k {
	case aGreeting, aHello, aCall, aRoom, aProgress, aResult, aFailure:
		return true
	}
	return false
}

// A frame is what has been received.
type frame struct {
	kind kind
	call uint32 // 0 for a frame that is not about a call
	body []byte
}

const (
	headSize = 1 + 4 + 8
	maxBody  = min(1<<40, math.MaxInt)
	keptOut  = 64 << 10 // what is sent in one piece, and kept as memory, at most
)

func newLink(sock *socket.Socket) *link { return &link{sock: sock, in: stream.New(sock)} }

// send sends a frame whose body are the two pieces, one behind the other. If it fails, a part of the frame
// may have been sent, and the link is of no use any more.
func (l *link) send(ctx context.Context, k kind, call uint32, head, body []byte) error {
	out := append(l.out[:0], byte(k))
	out = binary.BigEndian.AppendUint32(out, call)
	out = binary.BigEndian.AppendUint64(out, uint64(len(head)+len(body)))
	out = append(out, head...)
	whole := len(out)+len(body) <= keptOut
	if whole {
		out = append(out, body...)
	}
	if cap(out) <= 2*keptOut {
		l.out = out
	}
	if _, err := l.sock.SendAll(ctx, out); err != nil || whole {
		return err
	}
	_, err := l.sock.SendAll(ctx, body)
	return err
}

// receive receives the next frame. When the other side has closed the link between two frames, the error is
// io.EOF. Memory is used for what arrives, not for what is announced.
func (l *link) receive(ctx context.Context) (frame, error) {
	var head [headSize]byte
	if _, err := l.in.ReadFull(ctx, head[:]); err != nil {
		return frame{}, err
	}
	f := frame{kind: kind(head[0]), call: binary.BigEndian.Uint32(head[1:])}
	size := binary.BigEndian.Uint64(head[5:])
	if !f.kind.exists() || size > maxBody {
		return frame{}, errProtocol // and not a wait for what will never come
	}
	var err error
	f.body, err = l.in.ReadExactly(ctx, int(size))
	return f, err
}

// isCut reports whether the other side has closed the link, or has gone, and all it has sent has been received.
func (l *link) isCut() bool {
	var next [1]byte
	n, _, err := syscall.Recvfrom(l.sock.FD(), next[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	for err == syscall.EINTR {
		n, _, err = syscall.Recvfrom(l.sock.FD(), next[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	}
	return n == 0 && err == nil || err == syscall.ECONNRESET
}

func (l *link) close() { _ = l.in.Close() }

// errProtocol says that what came over the link makes no sense.
var errProtocol = errors.New("the protocol is broken")

// A packer puts texts and numbers together, and an unpacker takes them apart.
type packer []byte

func (p *packer) number(n uint64)  { *p = binary.AppendUvarint(*p, n) }
func (p *packer) text(text string) { p.number(uint64(len(text))); *p = append(*p, text...) }

type unpacker struct {
	rest   []byte
	broken bool
}

func (u *unpacker) number() uint64 {
	n, size := binary.Uvarint(u.rest)
	if size <= 0 {
		u.rest, u.broken = nil, true
		return 0
	}
	u.rest = u.rest[size:]
	return n
}

func (u *unpacker) text() string {
	n := u.number()
	if n > uint64(len(u.rest)) {
		u.rest, u.broken = nil, true
		return ""
	}
	text := string(u.rest[:n])
	u.rest = u.rest[n:]
	return text
}

// err is not nil if there was less than has been asked for.
func (u *unpacker) err() error {
	if u.broken {
		return errProtocol
	}
	return nil
}
