//go:build linux

package main

import (
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// A worker is one thread's share of a run. Only its own goroutine touches it until it ends,
// except the first three fields, which the run reads.
type worker struct {
	messages atomic.Uint64 // completed, since the start
	vain     atomic.Int64  // nanoseconds spent polling for nothing
	alive    atomic.Int64  // connections in use

	run         *plan
	connections []connection
	first       int32 // number of connections[0]
	waiting     queue
	epoll       int
	events      []unix.EpollEvent
	buffer      []byte

	latency    histogram
	oldest     int64 // how long the oldest message had waited when the run ended
	errors     int
	mismatches int
}

// maxBuffer bounds what is received at once.
const maxBuffer = 256 << 10

func newWorker(run *plan, first, connections int) (*worker, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	w := &worker{
		run:         run,
		connections: make([]connection, connections),
		first:       int32(first),
		waiting:     newQueue(connections),
		epoll:       epoll,
		events:      make([]unix.EpollEvent, min(512, connections)),
		// One byte more than a message, so that receiving one whole message
		// shows at the same time that there is no more.
		buffer: make([]byte, min(run.size+1, maxBuffer)),
	}
	for i := range w.connections {
		w.connections[i].number = uint32(first + i)
		w.connections[i].descriptor = -1
	}
	return w, nil
}

// wake bounds how long a worker sleeps, and with it how late it sees that the
// run is over.
const wake = 50 * time.Millisecond

// work keeps every connection busy until the run stops.
func (w *worker) work() {
	for i := range w.connections {
		if c := &w.connections[i]; c.state == up {
			w.next(c, clock())
		}
	}
	var vainSince int64
	for w.busy() {
		n := w.poll()
		if w.run.spin {
			vainSince = w.accountVain(vainSince, n == 0)
		}
		for _, event := range w.events[:n] {
			w.handle(&w.connections[event.Fd], event.Events)
		}
		// A server answers in about the order in which it was asked. While the
		// oldest message has its echo, epoll need not be asked, which makes
		// this cheaper than a server that does use epoll.
		for n > 0 && w.busy() && w.turn(&w.connections[w.waiting.oldest()], false) {
		}
	}
	if i := w.waiting.oldest(); i >= 0 {
		w.oldest = clock() - w.connections[i].since
	}
}

func (w *worker) busy() bool {
	return w.alive.Load() > 0 && !w.run.stop.Load()
}

func (w *worker) poll() int {
	if w.run.spin {
		return pollNow(w.epoll, w.events)
	}
	return pollWait(w.epoll, w.events, wake)
}

// accountVain adds up the time between the first poll that found nothing and
// the next that found something. It returns since when polling has been in
// vain, 0 if it is not.
func (w *worker) accountVain(since int64, vain bool) int64 {
	if vain == (since != 0) {
		return since
	}
	now := clock()
	if vain {
		return now
	}
	w.vain.Add(now - since)
	return 0
}

const hangUp = unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR

// handle acts on an event of a connection.
func (w *worker) handle(c *connection, events uint32) {
	if c.state != up {
		return // lost since the events were fetched
	}
	if c.sent < uint32(w.run.size) && w.push(c) == broken {
		w.lose(c, broken)
		return
	}
	w.turn(c, events&hangUp != 0)
}

// turn takes in what has come of the echo, and if it is whole counts it and
// sends the next message. It reports whether it did.
func (w *worker) turn(c *connection, hungUp bool) bool {
	switch got := w.pull(c, hungUp); got {
	case whole:
	case partial:
		return false
	default:
		w.lose(c, got)
		return false
	}
	now := clock()
	if now >= w.run.from && now < w.run.to {
		w.latency.add(now - c.since)
	}
	w.messages.Store(w.messages.Load() + 1) // nobody else stores
	w.waiting.remove(w.index(c))
	return w.next(c, now)
}

// next sends the next message, and reports whether the connection took it.
func (w *worker) next(c *connection, now int64) bool {
	c.begin(w.run.pattern, now)
	w.waiting.push(w.index(c))
	if w.push(c) == broken {
		w.lose(c, broken)
		return false
	}
	return true
}

// lose gives up a connection that is up.
func (w *worker) lose(c *connection, why progress) {
	if why == wrong {
		w.mismatches++
	} else {
		w.errors++
	}
	w.waiting.remove(w.index(c))
	w.release(c)
	c.state = lost
	w.alive.Add(-1)
}

func (w *worker) index(c *connection) int { return int(int32(c.number) - w.first) }

// release closes c's socket, which takes it off epoll too.
func (w *worker) release(c *connection) {
	if c.descriptor >= 0 {
		unix.Close(int(c.descriptor))
		c.descriptor = -1
	}
}

// close releases everything.
func (w *worker) close() {
	for i := range w.connections {
		w.release(&w.connections[i])
	}
	unix.Close(w.epoll)
}
