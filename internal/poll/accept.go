package poll

import (
	"context"
	"syscall"
)

var accepting = operation{state: "ACCEPT_WAIT", call: acceptOnce}

// Accept takes the next connection off a listening socket's queue. The new
// descriptor is non-blocking, closed on exec, and the caller's; peer is nil if the
// system did not say.
func (f *FD) Accept(ctx context.Context) (sysfd int, peer syscall.Sockaddr, err error) {
	d := &f.reader
	if err := d.enter(ctx, &accepting); err != nil {
		return -1, nil, err
	}
	d.n = -1
	err = d.run()
	sysfd = d.n
	peer, _ = d.arg.(syscall.Sockaddr)
	return sysfd, peer, d.leave(err)
}

func acceptOnce(d *direction, fd int) bool {
	for {
		sysfd, peer, err := accept(fd)
		switch err {
		case nil:
			d.n = sysfd
			if peer != nil {
				d.arg = peer
			}
			return true
		case syscall.EINTR, syscall.ECONNABORTED: // that one was gone before we came
		case syscall.EAGAIN:
			return false
		default:
			d.err = err
			return true
		}
	}
}
