package process

import (
	"fmt"
	"reflect"

	"github.com/curio-go/curio/internal/gobs"
)

// An Option changes a call of Run or Map: In, Progress, Unordered.
type Option interface{ applyTo(o *options) }

type option func(*options)

func (o option) applyTo(to *options) { o(to) }

type options struct {
	pool      *Pool     // nil for the kernel's own
	listener  *listener // nil for none
	unordered bool
}

func newOptions(opts []Option) (o options) {
	for _, opt := range opts {
		opt.applyTo(&o)
	}
	return o
}

// In has the call served by a worker of p, and not of the pool of the kernel. It panics if p is nil.
func In(p *Pool) Option {
	if p == nil {
		panic("process: In(nil); leave it out for the pool of the kernel")
	}
	return option(func(o *options) { o.pool = p })
}

// Progress has fn called with each value that the function sends by [Report] or [TryReport], in the order
// in which they were sent, and before the result is returned. fn runs in the task that has called Run, or
// that runs the loop over Map, while that waits. A slow fn holds up the function, which can be at most 16
// values ahead.
//
// As long as fn has not returned, the call keeps its worker. So fn must not wait for a worker of the same pool,
// nor for the end of the pool: all workers may wait for fn. The same goes for the body of a loop over Map
// with Progress, and for its args.
//
// P has to be the very type that the function sends; otherwise its Report fails. Progress panics if fn is
// nil, and for a P that Register would refuse. If fn panics, the call ends as if it had been cancelled, and
// the panic goes on.
func Progress[P any](fn func(P)) Option {
	of := reflect.TypeFor[P]()
	if fn == nil {
		panic(fmt.Sprintf("process: Progress[%v](nil)", of))
	}
	if err := gobs.Check(of); err != nil {
		panic(fmt.Sprintf("process: Progress[%v]: values of the type cannot be sent from a worker: %v", of, err))
	}
	l := &listener{of: nameOf(of), decode: func(d *gobs.Decoder, message []byte) (func(), error) {
		var v P
		if err := d.Decode(message, &v); err != nil {
			return nil, err
		}
		return func() { fn(v) }, nil
	}}
	return option(func(o *options) { o.listener = l })
}

// A listener is what Progress has been given.
type listener struct {
	of     string // the type, see nameOf
	decode func(d *gobs.Decoder, message []byte) (tell func(), err error)
}

// Unordered has Map yield results as they come, and not in the order of the arguments. With Run it makes no
// sense, and panics.
func Unordered() Option { return option(func(o *options) { o.unordered = true }) }
