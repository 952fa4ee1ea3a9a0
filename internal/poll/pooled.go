package poll

import (
	"context"
	"io"
	"sync"
)

// Pooled is what a pool for ReadPooled has in it.
type Pooled struct {
	Space []byte // to read into
	Of    any    // what it is a part of
}

// It uses arg: the pool, until the call completes, and then what was taken from there.
var readingPooled = operation{state: "READ_WAIT", call: pooledOnce, eager: true, trusts: true}

// ReadPooled is Read into a buffer of its own, which it takes from pool, a pool of
// *Pooled. It has one only while it makes the call, and not while it sleeps. p is nil if
// there was an error, and belongs to the caller otherwise. At the end of file n is 0; at
// the end of a sequenced-packet socket the error is io.EOF.
func (f *FD) ReadPooled(ctx context.Context, pool *sync.Pool) (p *Pooled, n int, err error) {
	d := &f.reader
	if err := d.enter(ctx, &readingPooled); err != nil {
		return nil, 0, err
	}
	d.arg = pool
	err = d.run()
	p, _ = d.arg.(*Pooled)
	n = d.n
	return p, n, d.leave(err)
}

func pooledOnce(d *direction, fd int) bool {
	pool := d.arg.(*sync.Pool)
	p := pool.Get().(*Pooled)
	d.buf = p.Space
	done := readOnce(d, fd)
	d.buf = nil
	if done && d.n == 0 && d.err == nil && d.fd.isSequenced() && Ended(fd, true) {
		d.err = io.EOF
	}
	if !done || d.err != nil {
		pool.Put(p)
		return done
	}
	d.arg = p
	return true
}
