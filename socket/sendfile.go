package socket

import (
	"context"
	"io"
	"math"
	"os"
	"syscall"
)

// SendFile sends count bytes of file, starting at offset, and returns how many it sent:
// sendfile(2), which copies nothing through the program. Where the system cannot do that, as with
// some file systems and types of socket, SendFile reads and sends. Other tasks that send wait until
// it has returned, as with SendAll.
//
// If count is negative, SendFile sends everything up to the end of the file; if count is 0,
// nothing. If the file ends before count bytes, the error wraps io.ErrUnexpectedEOF. SendFile
// neither uses nor changes the file's own offset, so several tasks may send one file. If offset is
// -1, SendFile starts at the file's own offset and moves it by the number of bytes sent; nothing
// else may use that offset meanwhile.
//
// file must be seekable: for a pipe, a terminal or a socket, the error wraps syscall.ESPIPE. Copy
// from these with Recv or Read, and SendAll, as SendFile would lose data that it has read and
// cannot send. The socket must be a stream; otherwise the error wraps syscall.EOPNOTSUPP.
//
// If ctx is done or the connection fails halfway, SendFile returns how many bytes the system has
// accepted. The peer receives exactly these bytes, if the connection lasts. Reading from the disk
// cannot be cancelled. file may be closed during the call, which goes on sending.
//
// If the peer has closed the connection, sendfile(2) raises SIGPIPE, which a Go program ignores
// unless it asks for the signal with os/signal. The error wraps syscall.EPIPE.
func (s *Socket) SendFile(ctx context.Context, file *os.File, offset, count int64) (n int64, err error) {
	if err := s.usable(); err != nil {
		return 0, s.failed("sendfile", err)
	}
	if s.fd.Type() != SOCK_STREAM {
		return 0, s.failed("sendfile", syscall.EOPNOTSUPP)
	}
	if count == 0 {
		return 0, s.nothing(ctx, "sendfile")
	}
	most := count
	if count < 0 {
		most = math.MaxInt64
	}
	if offset == -1 {
		n, err = s.sendFromOffset(ctx, file, most)
	} else {
		n, err = s.sendRange(ctx, file, offset, most)
	}
	if err == nil && n < count {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return n, s.failed("sendfile", err)
	}
	return n, nil
}

// sendFromOffset begins at the file's own offset. It does not leave that to the system, because
// only Linux supports it.
func (s *Socket) sendFromOffset(ctx context.Context, file *os.File, most int64) (n int64, err error) {
	offset, err := file.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, err
	}
	n, err = s.sendRange(ctx, file, offset, most)
	if n > 0 {
		if _, failed := file.Seek(offset+n, io.SeekStart); err == nil {
			err = failed
		}
	}
	return n, err
}

func (s *Socket) sendRange(ctx context.Context, file *os.File, offset, most int64) (n int64, err error) {
	raw, err := file.SyscallConn()
	if err != nil {
		return 0, err
	}
	closed := raw.Control(func(fd uintptr) { // the descriptor stays open during the call
		n, err = s.fd.SendFile(ctx, int(fd), offset, most)
	})
	if closed != nil { // by an error that package os does not export
		return 0, os.ErrClosed
	}
	return n, err
}
