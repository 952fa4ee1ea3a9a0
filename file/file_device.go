package file

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/curio-go/curio/internal/disk"
	"github.com/curio-go/curio/internal/wait"
)

// maxWorkers is how many system calls about one device run at the same time. With fewer, a disk that
// works on many requests at once has too few of them; with more, a server that is gone keeps more
// threads.
const maxWorkers = 16

// A device bounds the system calls that may wait for the same disk, server or daemon. Each runs in
// a goroutine, which keeps a thread for as long as the call lasts, even if no caller waits for it
// any more: so a mount that hangs has maxWorkers threads at most, and all other work for it waits
// in the queue, under its own contexts.
//
// An errand is
//
//	queued ──► running    by a worker that has become free, or at birth
//	       ──► dropped    by its caller, whose context is done, or by the close of its file: it will not run
//	running ──► done      by its worker
//	        ──► abandoned by its caller, or by the close of its file: what comes of it is late
//
// all under mu. Lock order: device.mu < nothing.
type device struct {
	dev uint64

	mu      sync.Mutex
	workers int // goroutines
	queued  errandList
	running errandList
}

// An errand is a system call on its way through a device.
type errand struct {
	call interface {
		run()
		missed() // nobody waits for the result
	}
	op, path string
	since    time.Time
	file     *File // that has to stay open, nil for an operation by path

	// Guarded by device.mu.
	state      errandState
	lone       bool // nobody waits for it from the beginning
	waiting    wait.List
	prev, next *errand
}

type errandState uint8

const (
	queued errandState = iota
	running
	done
	dropped
	abandoned
)

// String describes the call, for monitoring.
func (w *errand) String() string { return w.op + " " + w.path }

// An errandList is a list of errands, the oldest first.
type errandList struct{ first, last *errand }

func (l *errandList) push(w *errand) {
	w.prev, w.next = l.last, nil
	if l.last == nil {
		l.first = w
	} else {
		l.last.next = w
	}
	l.last = w
}

func (l *errandList) remove(w *errand) {
	if w.prev == nil {
		l.first = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		l.last = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.prev, w.next = nil, nil
}

// devices are all that there has been work for: as many as there were mounts. What is about two of them,
// such as a copy, has workers of its own for each pair: if one of the two hangs, the other has all of its.
var devices struct {
	mu    sync.Mutex
	all   map[uint64]*device
	pairs map[[2]*device]*device
}

func deviceOf(dev uint64) *device {
	devices.mu.Lock()
	defer devices.mu.Unlock()
	d := devices.all[dev]
	if d == nil {
		d = &device{dev: dev}
		if devices.all == nil {
			devices.all = make(map[uint64]*device)
		}
		devices.all[dev] = d
	}
	return d
}

// deviceOfPath returns the device of the mount that path is in. It asks nobody who may hang. Where
// mounts are not known, all paths have one device, of number 0.
func deviceOfPath(path string) *device {
	var m disk.Mount
	if path, ok := absolute(path); ok {
		m, _ = disk.Locate(path)
	}
	return deviceOf(m.Dev)
}

// deviceOfPaths returns the device for what is about two paths.
func deviceOfPaths(oldname, newname string) *device {
	pair := [2]*device{deviceOfPath(oldname), deviceOfPath(newname)}
	if pair[0] == pair[1] {
		return pair[0]
	}
	devices.mu.Lock()
	defer devices.mu.Unlock()
	d := devices.pairs[pair]
	if d == nil {
		d = &device{dev: pair[1].dev}
		if devices.pairs == nil {
			devices.pairs = make(map[[2]*device]*device)
		}
		devices.pairs[pair] = d
	}
	return d
}

// absolute returns path in the form that the table of mounts uses.
func absolute(path string) (string, bool) {
	if !filepath.IsAbs(path) {
		dir, err := syscall.Getwd() // a system call that looks at nothing but the names in memory
		if err != nil {
			return "", false
		}
		path = dir + "/" + path
	}
	return filepath.Clean(path), true
}

// errCut says that the scope has ended a wait; at works out with which error.
var errCut = errors.New("internal error: an operation whose scope has ended")

// A fate is what has become of a call.
type fate uint8

const (
	neverRan fate = iota
	returned
	runsOn // nobody waits for it
)

// inWorker calls fn in a worker of d and waits for it. If the scope of p ends first, the error is
// errCut; if f is closed, it is fs.ErrClosed. If fn runs on, late gets its result, and until then f's
// descriptor stays open. The caller must have f open, and p must not be Untrusted.
func inWorker[T any](p wait.Place, d *device, f *File, op, path string, fn func() (T, error), late func(T, error)) (v T, become fate, err error) {
	c := &call[T]{fn: fn, late: late}
	c.errand = errand{call: c, op: op, path: path, since: wait.Clock(), file: f}
	if f != nil {
		f.hold()
	}
	become, err = d.do(p, &c.errand)
	if f != nil && become != runsOn {
		f.leave()
	}
	if become == returned {
		return c.value, returned, c.err
	}
	return v, become, err
}

// A call is an errand that knows the type of its result.
type call[T any] struct {
	errand

	fn    func() (T, error)
	late  func(T, error)
	value T
	err   error
}

func (c *call[T]) run() {
	handOvers.Add(1)
	if hook := stallHook.Load(); hook != nil {
		(*hook)(c.op, c.path)
	}
	c.value, c.err = c.fn()
}

func (c *call[T]) missed() {
	if c.late != nil {
		c.late(c.value, c.err)
	}
	if c.file != nil {
		c.file.leave()
	}
}

// do has w run, and waits until it has.
func (d *device) do(p wait.Place, w *errand) (fate, error) {
	waiter := p.Waiter("FILE_CALL", w)
	d.mu.Lock()
	if w.file != nil && w.file.isClosed() { // close sets that before it looks at the errands
		d.mu.Unlock()
		waiter.Free()
		return neverRan, fs.ErrClosed
	}
	d.enterLocked(w)
	w.waiting.Push(waiter)
	d.mu.Unlock()
	if !waiter.WaitOutside() { // the worker may be of another bubble
		w.waiting.Leave(waiter, &d.mu)
	}
	waiter.Free()
	return d.outcome(w)
}

// start has w run, for nobody.
func (d *device) start(w *errand) {
	d.mu.Lock()
	defer d.mu.Unlock()
	w.lone = true
	d.enterLocked(w)
}

func (d *device) enterLocked(w *errand) {
	if d.workers == maxWorkers {
		d.queued.push(w)
		return
	}
	d.workers++
	w.state = running
	d.running.push(w)
	go d.work(w)
}

// outcome says what has become of w. If it has not been run to its end, nobody waits for it from now
// on.
func (d *device) outcome(w *errand) (fate, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch w.state {
	case done:
		return returned, nil
	case dropped:
		return neverRan, fs.ErrClosed
	case abandoned:
		return runsOn, fs.ErrClosed
	case queued:
		w.state = dropped
		d.queued.remove(w)
		return neverRan, errCut
	}
	w.state = abandoned
	return runsOn, errCut
}

// work runs w, and then what is queued.
func (d *device) work(w *errand) {
	for w != nil {
		w.call.run()
		if w = d.finish(w); w != nil { // which is another task's
			pprof.SetGoroutineLabels(context.Background())
		}
	}
}

// finish settles w, and returns what the worker runs next. What is late is still seen, and has its
// worker.
func (d *device) finish(w *errand) (next *errand) {
	var woken wait.Batch
	d.mu.Lock()
	if w.state == running && !w.lone {
		w.state = done
		w.waiting.PopAll(&woken)
	} else {
		d.mu.Unlock()
		w.call.missed()
		d.mu.Lock()
	}
	d.running.remove(w)
	if next = d.queued.first; next != nil {
		d.queued.remove(next)
		next.state = running
		d.running.push(next)
	} else {
		d.workers--
	}
	d.mu.Unlock()
	woken.Wake()
	return next
}

// evict ends the waits for the errands of f, which is closed, and returns how many of these still run.
func (d *device) evict(f *File) (run int) {
	var woken wait.Batch
	d.mu.Lock()
	var next *errand
	for w := d.queued.first; w != nil; w = next {
		if next = w.next; w.file == f {
			w.state = dropped
			d.queued.remove(w)
			w.waiting.PopAll(&woken)
		}
	}
	for w := d.running.first; w != nil; w = w.next {
		if w.file != f {
			continue
		}
		run++
		if w.state == running {
			w.state = abandoned
			w.waiting.PopAll(&woken)
		}
	}
	d.mu.Unlock()
	woken.Wake()
	return run
}

// handOvers, misses and refusals are shown by Counts.
var handOvers, misses, refusals atomic.Uint64

// stallHook is called in a worker before its system call. Tests set it.
var stallHook atomic.Pointer[func(op, path string)]
