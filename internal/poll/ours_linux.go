package poll

import (
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/curio-go/curio/internal/wait"
)

// ownState is the part of an FD that is on a poller of our own.
type ownState struct {
	ready *readinesses
	plain atomic.Bool // a TCP socket, of which a short read or write says that there is no more
}

// ownClosing is the part that Close needs. An operation that holds a turn, and a call of
// control, keep the descriptor open: close waits until all that do have left.
type ownClosing struct {
	mu     sync.Mutex
	inside int32     // in control
	closed bool      // nobody gets in any more
	left   wait.List // close, which waits for those in control

	cleanup runtime.Cleanup
}

// ownPoller is an FD as a poller.
type ownPoller FD

// maxFew is how many FDs are on the runtime's poller, which is faster for a few: a reader
// whose only peer answers at once lingers (linger.go) and needs no poller, whereas with ours
// each message wakes a thread. With one processor there is no thread to wake, and connections
// on two pollers would hold each other up: there all are on ours. An FD keeps its poller for
// life.
const maxFew = 4

// few counts them. An FD that is collected without having been closed is never subtracted;
// then more FDs use our poller.
var few atomic.Int32

// watch chooses a poller. In a testing/synctest bubble it is the runtime's: a goroutine of
// ours that was born there would belong to the bubble.
func (f *FD) watch() error {
	if !ownPolling || wait.InBubble() || f.sysfd < 0 || f.sysfd >= maxWatched {
		return f.watchByRuntime(nil)
	}
	if few.Add(1) > mostFew() && epollIsGood() {
		few.Add(-1)
		err := f.watchByUs()
		if err == errNotOurs {
			return f.watchByRuntime(nil)
		}
		return err
	}
	err := f.watchByRuntime(notOneOfFew)
	if err != nil {
		notOneOfFew()
	}
	return err
}

func notOneOfFew() { few.Add(-1) }

// mostFew returns how many FDs may be on the runtime's poller. Tests replace it.
var mostFew = func() int32 {
	if runtime.GOMAXPROCS(0) == 1 {
		return 0
	}
	return maxFew
}

// watchByUs gives f's descriptor to our poller, and closes it if that fails.
func (f *FD) watchByUs() error {
	fd := int(f.sysfd)
	if err := theEpoll.add(fd, &f.own); err != nil {
		return err
	}
	f.poller = (*ownPoller)(f)
	f.closing.cleanup = runtime.AddCleanup(f, forgotten, fd)
	return nil
}

// forgotten closes a descriptor whose FD is garbage.
func forgotten(fd int) { _ = theEpoll.remove(fd) }

// SetPlain says that the descriptor is a TCP socket, with nothing on top of TCP. It may be
// called until the FD is shared.
func (f *FD) SetPlain() { f.own.plain.Store(true) }

// IsPlain reports whether SetPlain holds.
func (f *FD) IsPlain() bool { return f.own.plain.Load() }

// Setting is called before an option of the socket is set. Some make reads short.
func (f *FD) Setting(level, name int) {
	switch [2]int{level, name} {
	case [2]int{syscall.SOL_SOCKET, syscall.SO_RCVLOWAT}, [2]int{syscall.SOL_SOCKET, syscall.SO_OOBINLINE},
		[2]int{syscall.IPPROTO_TCP, tcpULP}:
		f.Distrust()
	}
}

const tcpULP = 31 // TCP_ULP, a protocol in the kernel above TCP: TLS has records

// Distrust is for when somebody may do something with the descriptor that makes reads
// short for another reason than that there is no more.
func (f *FD) Distrust() { f.own.plain.Store(false) }

// begun is called when a connection attempt has begun. Before that the socket was hung up,
// which raises a doubt: what was told so far no longer counts, and is told again.
func (f *FD) begun() {
	if f.own.ready != nil && f.own.plain.Load() {
		theEpoll.again(int(f.sysfd))
	}
}

// run makes the call when the descriptor is ready, and where that is not certain once more.
func (o *ownPoller) run(d *direction) error {
	f := (*FD)(o)
	r := o.readiness(d.writing())
	plain := d.op.trusts && f.own.plain.Load()
	try := !plain || d.unsure || d.writing() && len(d.buf) == 0 // for which there is always room
	for {
		seen := r.word.Load()
		if f.closed.Load() { // close posts after it has set closed: seen is older then
			return net.ErrClosed
		}
		if seen&isReady != 0 || try {
			d.trust, d.short = plain && seen&isDoubt == 0, false
			done := d.op.call(d, int(f.sysfd))
			if !done || d.short {
				r.clear(seen)
				d.unsure = !d.op.trusts
			}
			if done {
				return d.err
			}
			try = false
		}
		if d.place.Ended() { // park does not look if there is always something new
			d.cut = true
			return errCut
		}
		w := d.place.Waiter(d.op.state, f.object)
		ok := true
		if r.offer(w) {
			if ok = w.WaitOutside(); !ok {
				r.takeBack(w)
			}
		}
		w.Free()
		if !ok {
			d.cut = true
			return errCut
		}
	}
}

func (o *ownPoller) readiness(write bool) *readiness {
	if write {
		return &o.own.ready.write
	}
	return &o.own.ready.read
}

// watch lists w before it asks. What becomes ready after the question raises an event, and close
// says that the FD is closed before it evicts.
func (o *ownPoller) watch(w *wait.Waiter, write bool) (ok bool) {
	err := o.control(func(fd uintptr) {
		r := o.readiness(write)
		r.watch(w)
		is, errno := ready(int(fd), write)
		if is || errno != 0 || o.closed.Load() {
			r.unwatch(w)
			return
		}
		ok = true
	})
	return err == nil && ok
}

func (o *ownPoller) unwatch(w *wait.Waiter, write bool) error {
	o.readiness(write).unwatch(w)
	return nil
}

// waiting keeps the descriptor open meanwhile: once it has been closed, what is known by its number is
// another FD's.
func (o *ownPoller) waiting(write bool, fn func(w *wait.Waiter)) {
	_ = o.control(func(uintptr) { o.readiness(write).each(fn) })
}

func (o *ownPoller) abandon(*direction) {} // it waits for nothing while it makes a call

func (o *ownPoller) control(call func(fd uintptr)) error {
	c := &o.closing
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return net.ErrClosed
	}
	c.inside++
	c.mu.Unlock()
	defer c.leave()
	call(uintptr(o.sysfd))
	return nil
}

func (c *ownClosing) leave() {
	c.mu.Lock()
	c.inside--
	var last *wait.Waiter
	if c.inside == 0 {
		last = c.left.Pop()
	}
	c.mu.Unlock()
	if last != nil {
		last.Wake()
	}
}

func (o *ownPoller) close(evicted func()) error {
	f := (*FD)(o)
	f.own.ready.read.evict()
	f.own.ready.write.evict()
	evicted()
	// Those that take a turn after this find the FD closed.
	f.reader.turn.Drain("READ_TURN", f.object)
	f.writer.turn.Drain("WRITE_TURN", f.object)
	f.closing.shut(f.object)
	f.closing.cleanup.Stop()
	err := theEpoll.remove(int(f.sysfd))
	runtime.KeepAlive(f)
	return err
}

// shut lets nobody into control any more, and waits for those that are inside.
func (c *ownClosing) shut(object any) {
	c.mu.Lock()
	c.closed = true
	if c.inside == 0 {
		c.mu.Unlock()
		return
	}
	w := wait.Place{}.Waiter("CLOSE_WAIT", object)
	c.left.Push(w)
	c.mu.Unlock()
	w.WaitOutside()
	w.Free()
}
