package foreign

import (
	"context"
	"errors"
	"os"
	"syscall"
)

// SendFlags sends as much of buf as there is room for, without waiting, and fails with EAGAIN if
// there is none or somebody else sends: flags are flags of send(2), with MSG_DONTWAIT. A net.Conn
// that is no plain socket knows no such thing: then it fails with errors.ErrUnsupported.
func (f *Conn) SendFlags(ctx context.Context, buf []byte, flags int) (n int, err error) {
	switch {
	case f.raw == nil || flags&syscall.MSG_DONTWAIT == 0:
		err = errors.ErrUnsupported
	default:
		err = f.nothing(ctx)
	}
	if err == nil {
		n, err = f.sendNow(buf, flags)
	}
	if err != nil {
		err = f.error("send", err)
	}
	return n, err
}

func (f *Conn) sendNow(buf []byte, flags int) (n int, err error) {
	if !f.writer.turn.Try() {
		return 0, syscall.EAGAIN
	}
	defer f.writer.turn.Pass()
	closed := f.raw.Write(func(fd uintptr) bool {
		for err = syscall.EINTR; err == syscall.EINTR; {
			n, err = syscall.SendmsgN(int(fd), buf, nil, nil, flags)
		}
		return true
	})
	if closed != nil {
		return 0, closed
	}
	return n, os.NewSyscallError("send", err)
}
