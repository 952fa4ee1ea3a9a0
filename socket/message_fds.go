package socket

import (
	"context"
	"fmt"
	"sync"
	"syscall"

	"github.com/curio-go/curio/internal/poll"
)

// SendFDs sends all of data, and passes copies of descriptors to the receiver with its first byte:
// sendmsg(2) with SCM_RIGHTS. The socket must be one of the Unix domain. On a stream data must not
// be empty. The descriptors must stay open until SendFDs has returned, and still belong to the
// caller afterwards. Linux passes at most 253 at once.
//
// SendFDs returns how many bytes it sent, even if ctx is done halfway. If that is 0 and there is an
// error, it passed no descriptor.
func (s *Socket) SendFDs(ctx context.Context, data []byte, fds ...int) (n int, err error) {
	m := Message{Buffers: [][]byte{data}}
	for _, fd := range fds {
		if !poll.IsFD(fd) {
			return 0, s.failed("sendmsg", fmt.Errorf("fd %d: %w", fd, syscall.EBADF))
		}
	}
	if len(fds) > 0 {
		m.Control = AppendControl(nil, Rights(fds...))
	}
	return s.SendMsgAll(ctx, &m, 0)
}

// RecvFDs receives data into buf, as Recv does, and the descriptors that came with it: recvmsg(2).
// The descriptors are close-on-exec from the start and belong to the caller, who must close them.
// There may be fewer than most, also none.
//
// If more than most descriptors came, the error wraps syscall.EMSGSIZE; if the process had too few
// free descriptors, syscall.EMFILE. RecvFDs then closes all that came, and n is how many bytes came
// with them. If ctx is done first, RecvFDs returns an error that wraps ctx's error and has received
// nothing.
func (s *Socket) RecvFDs(ctx context.Context, buf []byte, most int) (n int, fds []int, err error) {
	if err := s.usable(); err != nil {
		return 0, nil, s.failed("recvmsg", err)
	}
	p := s.message(0)
	defer free(p)
	control := rooms.Get().(*[controlRoom]byte)
	defer rooms.Put(control)
	p.SetBuffer(buf)
	p.Control = control[:]
	err = s.receive(ctx, "recvmsg", p, len(buf))
	fds, broken := descriptorsOf(control[:p.ControlN])
	switch {
	case broken != nil:
		err = s.failed("recvmsg", broken)
	case err != nil:
	case p.Got&MSG_CTRUNC != 0:
		err = s.failed("recvmsg", errNoRoomForAll)
	case len(fds) > most:
		err = s.failed("recvmsg", fmt.Errorf("%d descriptors, but at most %d were expected: %w", len(fds), most, syscall.EMSGSIZE))
	}
	if err != nil {
		closeAll(fds)
		return p.N, nil, err
	}
	return p.N, fds, nil
}

// There is always room for as many descriptors as any system passes at once, and for what else the
// socket's options add. So what is cut off was cut off for another reason, and no system gets the
// chance to lose descriptors that it has already opened, as macOS does.
const controlRoom = 4096

var rooms = sync.Pool{New: func() any { return new([controlRoom]byte) }}

var errNoRoomForAll = fmt.Errorf("not all descriptors could be opened: %w", syscall.EMFILE)

// descriptorsOf finds the descriptors in ancillary data, and closes those that nobody
// expects there.
func descriptorsOf(control []byte) (fds []int, err error) {
	for typ, fd := range poll.Descriptors(control) {
		if typ == SCM_RIGHTS {
			fds = append(fds, int(*fd))
		} else {
			closeAll([]int{int(*fd)})
		}
	}
	_, err = ParseControl(control)
	return fds, err
}

func closeAll(fds []int) {
	for _, fd := range fds {
		_ = syscall.Close(fd) // there is nobody to tell
	}
}
