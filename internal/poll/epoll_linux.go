package poll

import (
	"errors"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/curio-go/curio/internal/wait"
)

// theEpoll watches the descriptors of all FDs but those that are on the runtime's poller.
//
// One goroutine polls for all. While there is something to tell it goes on polling without
// waiting, and lets those run in between whom it has woken; otherwise it waits, in the
// runtime's poller, until the epoll descriptor is readable: epoll descriptors nest. So there
// is no thread of ours, and one wake-up serves hundreds.
//
// The runtime looks at its own poller only when no goroutine can run, which is never the case
// while ours is busy. So ours lets it look every mayHog: see giveWay.
//
//	none ──► polling   with the first descriptor
//	polling ──► none   some time after the last has gone: programs that open one
//	                   connection after the other do not start it for each
var theEpoll epoll

type epoll struct {
	mu   sync.Mutex
	n    int // descriptors that are watched
	loop *pollLoop

	// By the number of a descriptor; grows under mu.
	table atomic.Pointer[[]*shelf]
}

// A shelf has room for several numbers in a row. It is never given back.
type shelf [64]readinesses

// maxWatched is one more than the highest number that the table has room for.
const maxWatched = 1 << 24

// lingersFor is how long it goes on without a descriptor. It is a variable for tests.
var lingersFor = 100 * time.Millisecond

// at is what is known of a descriptor, for which growLocked has made room.
func (e *epoll) at(fd int) *readinesses {
	table := *e.table.Load()
	return &table[fd/len(shelf{})][fd%len(shelf{})]
}

func (e *epoll) growLocked(fd int) {
	var table []*shelf
	if old := e.table.Load(); old != nil {
		table = *old
	}
	i := fd / len(shelf{})
	if i < len(table) && table[i] != nil {
		return
	}
	grown := make([]*shelf, max(len(table), i+1))
	copy(grown, table)
	grown[i] = new(shelf)
	e.table.Store(&grown)
}

// errNotOurs means that our poller cannot watch the descriptor, but the runtime's perhaps can: it
// is watched too often, or it is an epoll descriptor and nested too deeply with ours on top, or
// our poller cannot be started, for lack of descriptors.
var errNotOurs = errors.New("internal error: our poller cannot watch this descriptor")

// add watches fd. It closes fd if it fails, except with errNotOurs.
func (e *epoll) add(fd int, own *ownState) (err error) {
	if err := nonblocking(fd); err != nil {
		if err != syscall.EBADF {
			syscall.Close(fd)
		}
		return err
	}
	e.mu.Lock()
	l := e.loop
	if l == nil {
		if l, err = startLoop(); err != nil {
			e.mu.Unlock()
			return errNotOurs
		}
		e.loop = l
	}
	e.growLocked(fd)
	if e.n++; e.n == 1 {
		_ = l.file.SetReadDeadline(time.Time{})
	}
	e.mu.Unlock()
	r := e.at(fd)
	if err = l.control(syscall.EPOLL_CTL_ADD, fd, r.begin()); err != nil {
		r.end()
		e.done()
		if err == syscall.EINVAL || err == syscall.ELOOP {
			return errNotOurs
		}
		syscall.Close(fd)
		if err == syscall.EPERM {
			return ErrNotPollable
		}
		return os.NewSyscallError("epoll_ctl", err)
	}
	own.ready = r
	return nil
}

func (l *pollLoop) control(op, fd int, life int32) error {
	event := syscall.EpollEvent{Events: watchedEvents, Fd: int32(fd), Pad: life}
	err := syscall.EpollCtl(l.fd, op, fd, &event)
	if err == syscall.EEXIST { // somebody has closed the descriptor behind our back
		err = syscall.EpollCtl(l.fd, syscall.EPOLL_CTL_MOD, fd, &event)
	}
	return err
}

// again makes everything that is known of fd count no more, and be told again.
func (e *epoll) again(fd int) {
	_ = e.current().control(syscall.EPOLL_CTL_MOD, fd, e.at(fd).begin())
}

// current is the loop, nil for none. There is one as long as a descriptor is watched.
func (e *epoll) current() *pollLoop {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.loop
}

// nonblocking checks that fd is open and in non-blocking mode.
func nonblocking(fd int) error {
	flags, _, errno := syscall.RawSyscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFL, 0)
	switch {
	case errno != 0:
		return errno
	case flags&syscall.O_NONBLOCK == 0:
		return ErrNotPollable
	}
	return nil
}

// remove closes fd. It is taken out first: a duplicate elsewhere would keep it in.
func (e *epoll) remove(fd int) error {
	e.at(fd).end()
	_ = syscall.EpollCtl(e.current().fd, syscall.EPOLL_CTL_DEL, fd, new(syscall.EpollEvent))
	err := os.NewSyscallError("close", syscall.Close(fd))
	e.done()
	return err
}

// IsPollers reports whether fd is a descriptor of our poller itself.
func IsPollers(fd int) bool {
	l := theEpoll.current()
	return l != nil && (l.fd == fd || l.flag.read == fd)
}

// done is for a descriptor that is watched no more.
func (e *epoll) done() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.n--; e.n == 0 {
		_ = e.loop.file.SetReadDeadline(time.Now().Add(lingersFor))
	}
}

// stop reports whether l is to end, and ends it.
func (e *epoll) stop(l *pollLoop) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.n > 0 {
		return false
	}
	l.close()
	e.loop = nil
	return true
}

const (
	edgeTriggered = 1 << 31 // EPOLLET, which package syscall has as a negative number
	watchedEvents = syscall.EPOLLIN | syscall.EPOLLOUT | syscall.EPOLLPRI | syscall.EPOLLRDHUP | edgeTriggered

	readDoubts  = syscall.EPOLLPRI | syscall.EPOLLRDHUP | syscall.EPOLLHUP | syscall.EPOLLERR
	readEvents  = syscall.EPOLLIN | readDoubts
	writeDoubts = syscall.EPOLLHUP | syscall.EPOLLERR
	writeEvents = syscall.EPOLLOUT | writeDoubts
)

// A pollLoop is an epoll instance and the goroutine that polls it.
type pollLoop struct {
	fd     int
	file   *os.File
	raw    syscall.RawConn
	flag   flagFDs // in fd
	events [64]syscall.EpollEvent
	n      int   // how many of events there are
	waited int64 // when it has last waited in the runtime's poller
}

func startLoop() (*pollLoop, error) {
	fd, err := createEpoll()
	if err != nil {
		return nil, err
	}
	l := &pollLoop{fd: fd, file: os.NewFile(uintptr(fd), "epoll")}
	if err := l.file.SetDeadline(time.Time{}); err != nil {
		l.file.Close()
		return nil, err
	}
	if l.raw, err = l.file.SyscallConn(); err != nil {
		l.file.Close()
		return nil, err
	}
	var call string
	if l.flag, call, err = newFlagFDs(); err != nil {
		l.file.Close()
		return nil, os.NewSyscallError(call, err)
	}
	if err = l.control(syscall.EPOLL_CTL_ADD, l.flag.read, 0); err != nil {
		l.close()
		return nil, os.NewSyscallError("epoll_ctl", err)
	}
	time.AfterFunc(0, l.run) // a goroutine without the pprof labels of the one that is here
	return l, nil
}

func (l *pollLoop) close() {
	l.file.Close()
	l.flag.close()
}

// mayHog is how long the loop runs before it gives way.
const mayHog = 250 * time.Microsecond

func (l *pollLoop) run() {
	look := func(uintptr) bool { return l.poll() }
	for {
		if !l.poll() {
			runtime.Gosched() // others may be about to make something ready
			l.poll()
		}
		for l.n == 0 {
			// The last look is inside, so nothing is lost that comes before it waits.
			if err := l.raw.Read(look); err != nil && theEpoll.stop(l) {
				return
			}
			l.waited = wait.Now()
		}
		l.tell()
		if wait.Now()-l.waited < int64(mayHog) {
			runtime.Gosched() // those who have been woken
		} else {
			l.giveWay()
			l.waited = wait.Now()
		}
	}
}

// giveWay sleeps in the runtime's poller until the runtime looks there, which it does when no other
// goroutine can run. It then finds an event on our epoll descriptor: the flag has been raised.
func (l *pollLoop) giveWay() {
	raised := false
	_ = l.raw.Read(func(uintptr) bool {
		if raised {
			return true
		}
		raised = true
		l.flag.raise() // not earlier: the runtime forgets events from before Read
		return false
	})
}

// poll looks without waiting, and reports whether there is something to tell.
func (l *pollLoop) poll() bool {
	l.n, _ = epollNow(l.fd, l.events[:])
	return l.n > 0
}

// tell tells the FDs what has happened.
func (l *pollLoop) tell() {
	for i := range l.events[:l.n] {
		e := &l.events[i]
		if int(e.Fd) == l.flag.read {
			continue
		}
		r := theEpoll.at(int(e.Fd))
		tellOne(&r.read, e, readEvents, readDoubts)
		tellOne(&r.write, e, writeEvents, writeDoubts)
	}
}

func tellOne(r *readiness, e *syscall.EpollEvent, events, doubts uint32) {
	switch {
	case e.Events&events == 0:
	case e.Events&doubts == 0:
		r.post(e.Pad, isReady)
	default:
		r.post(e.Pad, isReady|isDoubt)
	}
}
