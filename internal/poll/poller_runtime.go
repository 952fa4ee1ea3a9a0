package poll

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/curio-go/curio/internal/wait"
)

// A runtimePoller is the runtime's own: a descriptor in an os.File. See the package
// comment for how a sleeper is got out of it.
type runtimePoller struct {
	fd             *FD
	file           *os.File
	raw            syscall.RawConn
	reader, writer sleeper
	closed         func() // called by close; nil for nothing

	watched atomic.Pointer[watchers] // nil before the first watch
}

// A sleeper is one direction of an FD. Its fields, except for those that are shown, belong to the
// operation whose turn it is; Interrupt touches none of them.
type sleeper struct {
	of      *runtimePoller
	d       *direction
	attempt func(uintptr) bool // s.try: kept, as making a method value allocates
	ended   bool               // the scope had ended by the first EAGAIN
	done    bool               // the call completed, and d.err is how
	waiter  *wait.Waiter       // since the first EAGAIN

	mu    sync.Mutex
	shown *wait.Waiter // waiter, for monitoring
}

// watchByRuntime gives f's descriptor to the runtime's poller, and closes it if that fails,
// as os.File gives no descriptor back. closed, which may be nil, is called when the FD has
// been closed.
func (f *FD) watchByRuntime(closed func()) error {
	file := os.NewFile(uintptr(f.sysfd), "")
	if file == nil {
		return os.NewSyscallError("fcntl", syscall.EBADF)
	}
	// NewFile does not say whether the poller took the descriptor. This does.
	if err := file.SetDeadline(time.Time{}); err != nil {
		file.Close()
		return ErrNotPollable
	}
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return err
	}
	p := &runtimePoller{fd: f, file: file, raw: raw, closed: closed}
	p.reader.init(p, &f.reader)
	p.writer.init(p, &f.writer)
	f.poller = p
	return nil
}

func (s *sleeper) init(p *runtimePoller, d *direction) {
	s.of, s.d, s.attempt = p, d, s.try
}

func (p *runtimePoller) of(d *direction) *sleeper {
	if d.writing() {
		return &p.writer
	}
	return &p.reader
}

func (p *runtimePoller) run(d *direction) error {
	s := p.of(d)
	var left error
	if d.writing() {
		left = p.raw.Write(s.attempt)
	} else {
		left = p.raw.Read(s.attempt)
	}
	done := s.done
	ok := s.settle()
	switch {
	case done && !ok:
		d.place.Survived()
		fallthrough
	case done:
		return d.err
	case !ok:
		d.cut = true
		return errCut
	}
	return p.fd.left(left)
}

func (p *runtimePoller) abandon(d *direction) { p.of(d).settle() }

func (p *runtimePoller) control(call func(fd uintptr)) error { return p.raw.Control(call) }

func (p *runtimePoller) close(evicted func()) error {
	if x := p.watched.Load(); x != nil {
		x.evict()
	}
	err := p.file.Close()
	evicted()
	if p.closed != nil {
		p.closed()
	}
	var path *os.PathError
	if errors.As(err, &path) {
		err = os.NewSyscallError("close", path.Err)
	}
	return err
}

// try is what the runtime calls until it returns true, going to sleep in between.
func (s *sleeper) try(fd uintptr) bool {
	d := s.d
	if s.waiter != nil { // it has slept
		noteWake()
	}
	if d.op.call(d, int(fd)) {
		s.done = true
		return true
	}
	if s.waiter != nil {
		return false
	}
	if d.op.eager && d.habit.linger(func() bool { return d.op.call(d, int(fd)) }) {
		s.done = true
		return true
	}
	s.waiter = d.place.Waiter(d.op.state, s)
	s.ended = !s.waiter.Begin()
	s.show(s.waiter)
	return s.ended
}

func (s *sleeper) show(w *wait.Waiter) {
	s.mu.Lock()
	s.shown = w
	s.mu.Unlock()
}

// settle ends the operation's wait, if it came to one. The result is false if it was the scope
// that ended it.
func (s *sleeper) settle() (ok bool) {
	w, ended := s.waiter, s.ended
	s.waiter, s.ended, s.done = nil, false, false
	if w == nil {
		return true
	}
	if !ended {
		ok = w.EndBy(s.setDeadline)
	}
	s.show(nil)
	w.Free()
	return ok
}

// String says what a task in the middle of an operation waits for.
func (s *sleeper) String() string { return fmt.Sprint(s.d.fd.object) }

// interrupting is for tests of the moment between the claim and the deadline.
var interrupting = func() {}

// Interrupt is how a scope that has claimed w gets the goroutine out of the
// runtime's poller. On a descriptor that was closed meanwhile there is no deadline
// to set, and nobody sleeps.
func (s *sleeper) Interrupt(w *wait.Waiter) {
	interrupting()
	w.InterruptBy(s.setDeadline)
}

// setDeadline can fail only because the descriptor has been closed.
func (s *sleeper) setDeadline(t time.Time) error {
	if s.d.writing() {
		return s.of.file.SetWriteDeadline(t)
	}
	return s.of.file.SetReadDeadline(t)
}
