package poll

import (
	"context"
	"syscall"
)

// accepting uses arg: it is a *Name, for the peer's address.
var accepting = operation{state: "ACCEPT_WAIT", call: acceptOnce}

// Accept takes the next connection off a listening socket's queue. The new descriptor is
// non-blocking, closed on exec, and belongs to the caller. peer is empty if the system did
// not return it.
func (f *FD) Accept(ctx context.Context) (sysfd int, peer *Name, err error) {
	d := &f.reader
	if err := d.enter(ctx, &accepting); err != nil {
		return -1, nil, err
	}
	peer = new(Name)
	d.n, d.arg = -1, peer
	err = d.run()
	sysfd = d.n
	return sysfd, peer, d.leave(err)
}

func acceptOnce(d *direction, fd int) bool {
	for {
		sysfd, err := accept(fd, d.arg.(*Name))
		switch err {
		case nil:
			d.n = sysfd
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
