package process

import (
	"fmt"
	"reflect"

	"github.com/curio-go/curio/internal/gobs"
)

// An Option changes a call of [Run] or [Map]: see [In], [Progress] and [Unordered].
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

// In makes a call use a worker of p instead of one of the kernel's pool. It panics if p is nil.
func In(p *Pool) Option {
	if p == nil {
		panic("process: In(nil); leave it out for the pool of the kernel")
	}
	return option(func(o *options) { o.pool = p })
}

// Progress makes a call pass each value that the function sends with [Report] or [TryReport] to fn,
// in the order in which they were sent, before the result is returned. fn runs in the task that has
// called Run or that runs the loop over Map, while that task waits. The function in the worker can
// be at most 16 values ahead, and then waits for fn.
//
// Until fn has returned, the call keeps its worker. fn must therefore not wait for a worker of the
// same pool or for the end of the pool: all workers may be waiting for fn. The same applies to args
// and to the body of a loop over Map with Progress.
//
// P must be exactly the type that the function sends; otherwise its Report fails. Progress panics
// if fn is nil, or if Register would refuse P. If fn panics, the call ends as if it had been
// cancelled, and the panic continues.
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

// Unordered makes Map yield results as they come, not in the order of the arguments. Run panics if
// it is passed this option.
func Unordered() Option { return option(func(o *options) { o.unordered = true }) }
