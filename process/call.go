package process

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"syscall"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/gobs"
	"github.com/curio-go/curio/internal/wait"
)

// A request is a call of Run without its types.
type request struct {
	function *function
	pool     *Pool
	listener *listener
	encode   func(e *gobs.Encoder) ([]byte, error)
	decode   func(d *gobs.Decoder, message []byte) error
}

// A call is one attempt to have a worker serve a request. Two tasks have to do with it: the caller, and
// below the worker's task one with the name of the function, which sends the request, receives what comes,
// and puts it here. The worker's task puts the last thing here if the worker has died.
//
// Either the caller takes what has been put last, or it leaves before that has been put, and then the
// worker has to end. So a worker is never ended by a call that has had its result, nor used again after one
// that has not.
type call struct {
	worker   *worker
	function string
	number   uint32 // 0 before it has begun
	head     []byte
	arg      []byte // valid until the worker's encoder is used again

	fit bool // the caller has decoded all that there was: the tables of types of the two ends fit together

	ended  curio.Event // nobody puts anything any more, except for the worker's task
	unread bool        // the worker has not taken the whole request; set before ended

	mu      sync.Mutex
	line    curio.WaitList[arrival] // the caller
	arrived []arrival               // and not yet taken
	last    bool                    // the last one has been put
	left    bool                    // the caller does not want any more
}

// An arrival is something for the caller.
type arrival struct {
	kind kind // aProgress, aResult or aFailure, 0 if the worker has died
	body []byte
	err  error // why it has died
	safe bool  // it had not begun with the call
}

// tries is how many workers may die before they have begun with a call, until that fails.
const tries = 3

// run has a worker serve r.
func (r *request) run(ctx context.Context) error {
	if err := refusal(); err != nil {
		return err
	}
	if _, err := wait.At(ctx); err != nil { // before a pool is made
		return err
	}
	p := r.pool
	if p == nil {
		p = PoolOf(ctx)
	}
	for n := 1; ; n++ {
		w, err := p.acquire(ctx)
		if err != nil {
			return err
		}
		died, err := r.serveBy(ctx, w)
		if !died || n >= tries && err != nil {
			return err
		}
	}
}

// serveBy has w, which is the caller's, serve r. died says that w has died before it has begun with it.
func (r *request) serveBy(ctx context.Context, w *worker) (died bool, err error) {
	c := &call{worker: w, function: r.function.name}
	c.line.Mutex, c.line.State, c.line.Object, c.line.Serve = &c.mu, "PROCESS_CALL", c, c.serveLocked
	defer c.leave()
	if _, err := wait.At(ctx); err != nil { // it may have waited for w for long, or not at all
		return false, err
	}
	if c.arg, err = c.encode(r); err != nil {
		return false, fmt.Errorf("process: %s: the argument: %w: %w", r.function.name, ErrUnsendable, err)
	}
	h := callHead{function: r.function.name, signature: r.function.signature, anew: w.anew}
	if r.listener != nil {
		h.listens = r.listener.of
	}
	c.head = h.pack()
	if !w.begin(c) {
		w.enc.Reset()
		return true, nil
	}
	w.anew = false
	return r.attend(ctx, c)
}

// encode encodes the argument. It may be code of the user's that does so, and that ends the goroutine.
func (c *call) encode(r *request) (arg []byte, err error) {
	done := false
	defer func() {
		if !done {
			c.worker.enc.Reset()
		}
	}()
	arg, err = r.encode(&c.worker.enc)
	done = true
	return arg, err
}

// attend waits for the end of a call that has begun.
func (r *request) attend(ctx context.Context, c *call) (died bool, err error) {
	w, dealt := c.worker, 0 // with progress values, of which the worker has not been told
	for {
		a, err := c.line.Wait(ctx, arrival{})
		if err != nil {
			return false, err
		}
		switch a.kind {
		case aProgress:
			if err := r.progress(w, a.body); err != nil {
				return false, err
			}
			if dealt++; dealt < window/2 {
				continue
			}
			dealt = 0
			if err := c.makeRoom(ctx, window/2); err != nil {
				return false, err
			}
		case aResult:
			if err := r.decode(&w.dec, a.body); err != nil {
				return false, fmt.Errorf("process: %s: the result cannot be decoded: %w", r.function.name, err)
			}
			c.fit = true
			return false, nil
		case aFailure:
			c.fit = true
			failure, err := unpackFailure(r.function.name, a.body)
			if err == nil {
				err = failure
			}
			return false, err
		default:
			return a.safe, a.err
		}
	}
}

// makeRoom tells the worker that n progress values have been dealt with. If it has died, that comes by line.
func (c *call) makeRoom(ctx context.Context, n uint64) error {
	var room packer
	room.number(n)
	if c.worker.link.send(ctx, aRoom, c.number, nil, room) == nil {
		return nil
	}
	_, err := wait.At(ctx)
	return err
}

// progress hands a progress value to the listener.
func (r *request) progress(w *worker, body []byte) error {
	tell, err := r.listener.decode(&w.dec, body)
	if err != nil {
		return fmt.Errorf("process: %s: a progress value cannot be decoded: %w", r.function.name, err)
	}
	tell()
	return nil
}

// String is for monitors.
func (c *call) String() string {
	return fmt.Sprintf("call of %s in worker %d", c.function, c.worker.pid)
}

func (c *call) serveLocked() {
	for len(c.arrived) > 0 && c.line.Hand(c.arrived[0]) {
		c.arrived[0] = arrival{}
		c.arrived = c.arrived[1:]
	}
}

// put hands something to the caller. ok is false if the worker has sent more than it may.
func (c *call) put(a arrival) (ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a.kind == aProgress && len(c.arrived) > window {
		return false
	}
	if c.left || c.last {
		return true
	}
	c.last = a.kind != aProgress
	c.arrived = append(c.arrived, a)
	c.serveLocked()
	return true
}

// leave is the end of the caller's part, for any reason. The worker serves others, if it has
// answered.
func (c *call) leave() {
	c.mu.Lock()
	c.left = true
	c.arrived = nil
	answered := c.last
	c.mu.Unlock()
	w := c.worker
	switch {
	case c.number == 0: // it has not begun
		w.release(false)
	case answered:
		w.anew = w.anew || !c.fit
		w.release(true)
	default:
		w.tell(nil)
	}
}

// isUnread reports whether a failure of the link means that the worker has gone without reading all
// it was sent. Only Linux reports that.
func isUnread(err error) bool {
	return runtime.GOOS == "linux" && errors.Is(err, syscall.ECONNRESET)
}

// converse is the task between the caller and the worker.
func (c *call) converse(ctx context.Context) error {
	defer c.ended.Set()
	w := c.worker
	if err := w.link.send(ctx, aCall, c.number, c.head, c.arg); err != nil {
		c.unread = errors.Is(err, syscall.EPIPE) || isUnread(err)
		w.tell(nil)
		return nil
	}
	for first := true; ; first = false {
		f, err := w.link.receive(ctx)
		if err != nil {
			c.unread = first && isUnread(err)
			var why error
			if err == errProtocol {
				why = err
			}
			w.tell(why)
			return nil
		}
		known := f.call == c.number && (f.kind == aProgress || f.kind == aResult || f.kind == aFailure)
		if !known || !c.put(arrival{kind: f.kind, body: f.body}) {
			w.tell(errProtocol)
			return nil
		}
		if f.kind != aProgress {
			return nil
		}
	}
}
