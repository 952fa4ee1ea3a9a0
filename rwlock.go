package curio

import (
	"context"
	"fmt"
	"sync"

	"github.com/curio-go/curio/internal/wait"
)

// An RWLock is held by one writer or by any number of readers. It is sync.RWMutex with contexts.
// Waiting tasks get it in order of arrival, and neighbouring readers get it together. A writer that
// waits holds up the readers that come after it, so neither side starves. The zero value is an
// unlocked RWLock. An RWLock must not be copied after first use. All methods are safe for concurrent
// use.
//
// Acquire, TryAcquire, Release and Do are for writing, and make an RWLock a Locker. A task that
// holds the lock in either way and asks for it again may wait for itself, until its context is done.
//
// A task that waits is in the state READ_ACQUIRE or WRITE_ACQUIRE.
type RWLock struct {
	readers readers // their gate is shut while somebody writes or waits

	mu      sync.Mutex
	writing bool
	writer  *wait.Owner // nil for a goroutine of no task
	waiters wait.List
}

const (
	opRead  = "READ_ACQUIRE"
	opWrite = "WRITE_ACQUIRE"
)

var _ Locker = (*RWLock)(nil)

// Acquire takes the lock for writing. If it is held, Acquire waits, in order of arrival. If ctx is
// done first, the error is ctx's error and the lock is not taken.
func (l *RWLock) Acquire(ctx context.Context) error { return l.acquireFor(ctx, opWrite) }

// AcquireRead takes the lock for reading. If a task holds it for writing, or waits for it,
// AcquireRead waits too, in order of arrival. If ctx is done first, the error is ctx's error and the
// lock is not taken.
func (l *RWLock) AcquireRead(ctx context.Context) error { return l.acquireFor(ctx, opRead) }

func (l *RWLock) acquireFor(ctx context.Context, op string) error {
	p, err := wait.At(ctx)
	if err != nil {
		return err
	}
	if err := l.acquireAt(p, op); err != nil {
		return err
	}
	wait.Held(ctx, l, 1)
	return nil
}

func (l *RWLock) acquire(p wait.Place) error { return l.acquireAt(p, opWrite) }

func (l *RWLock) acquireAt(p wait.Place, op string) error {
	if op == opRead && l.startReading(p.Owner()) {
		return nil
	}
	l.mu.Lock()
	if l.takeLocked(op, p.Owner()) {
		l.mu.Unlock()
		return nil
	}
	return l.waitLocked(p, op)
}

// startReading takes the lock for reading if the gate is open.
func (l *RWLock) startReading(me *wait.Owner) bool {
	in, recorded := l.readers.enter(me)
	if in && !recorded {
		l.mu.Lock()
		l.readers.others.add(me, 1)
		l.mu.Unlock()
	}
	return in
}

// waitLocked waits for the lock. The caller holds the mutex, and waitLocked releases it.
func (l *RWLock) waitLocked(p wait.Place, op string) error {
	if p.Untrusted() {
		l.mu.Unlock()
		return p.Follow(func(p wait.Place) error { return l.acquireAt(p, op) })
	}
	w := p.Waiter(op, l)
	ok := w.WaitIn(&l.waiters, &l.mu)
	w.Free()
	if !ok {
		l.pass() // it may have been all that held up those behind it
		return p.Failure()
	}
	return nil
}

// takeLocked takes the lock if nobody is in the way. If ok is false, it leaves the gate shut.
func (l *RWLock) takeLocked(op string, me *wait.Owner) (ok bool) {
	l.readers.shut()
	if !l.waiters.Empty() || !l.vacantLocked(op) {
		return false
	}
	l.setLocked(op, me)
	l.openLocked()
	return true
}

// openLocked opens the gate if nobody writes or waits.
func (l *RWLock) openLocked() {
	if !l.writing && l.waiters.Empty() {
		l.readers.open()
	}
}

// vacantLocked reports whether those who hold the lock leave room for op. The gate is shut.
func (l *RWLock) vacantLocked(op string) bool {
	return !l.writing && (op == opRead || l.readers.number() == 0)
}

func (l *RWLock) setLocked(op string, o *wait.Owner) {
	if op == opRead {
		l.readers.enterLocked(o)
	} else {
		l.writing, l.writer = true, o
	}
}

// pass hands the lock to those at the head of the queue for whom there is room.
func (l *RWLock) pass() {
	l.mu.Lock()
	woken := l.passLocked()
	l.mu.Unlock()
	woken.Wake()
}

func (l *RWLock) passLocked() (woken wait.Batch) {
	for w := l.waiters.First(); w != nil && l.vacantLocked(w.Op()); w = l.waiters.First() {
		if l.waiters.Take(w) {
			l.setLocked(w.Op(), w.Owner())
			woken.Add(w)
		}
	}
	l.openLocked()
	return woken
}

// TryAcquire takes the lock for writing if it is free, and reports whether it did. It does not check
// whether ctx is done.
func (l *RWLock) TryAcquire(ctx context.Context) bool { return l.tryAcquireFor(ctx, opWrite) }

// TryAcquireRead takes the lock for reading if no task holds it for writing or waits for it, and
// reports whether it did. It does not check whether ctx is done.
func (l *RWLock) TryAcquireRead(ctx context.Context) bool { return l.tryAcquireFor(ctx, opRead) }

func (l *RWLock) tryAcquireFor(ctx context.Context, op string) bool {
	took := l.tryAcquireAs(wait.CurrentTask(ctx), op)
	if took {
		wait.Held(ctx, l, 1)
	}
	return took
}

func (l *RWLock) tryAcquire(o *wait.Owner) bool { return l.tryAcquireAs(o, opWrite) }

func (l *RWLock) tryAcquireAs(o *wait.Owner, op string) bool {
	if op == opRead && l.startReading(o) {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	taken := l.takeLocked(op, o)
	l.openLocked()
	return taken
}

// Release releases the lock that was taken for writing, and hands it on. It never blocks and does
// not check whether ctx is done. It panics if the task does not hold the lock for writing.
func (l *RWLock) Release(ctx context.Context) { l.release(wait.CurrentTask(ctx)) }

func (l *RWLock) release(me *wait.Owner) {
	l.mu.Lock()
	if !l.writing || l.writer != me {
		writing, h := l.writing, holder(l.writer, 1)
		l.mu.Unlock()
		panic(wrongRelease("RWLock (for writing)", me, writing, h))
	}
	l.writing, l.writer = false, nil
	woken := l.passLocked()
	l.mu.Unlock()

	wait.Returned(me, l, 1)
	woken.Wake()
}

// ReleaseRead undoes one AcquireRead of the task. When no reader is left, it hands the lock on. It
// never blocks and does not check whether ctx is done. It panics if the task does not hold the lock
// for reading.
func (l *RWLock) ReleaseRead(ctx context.Context) { l.releaseRead(wait.CurrentTask(ctx)) }

func (l *RWLock) releaseRead(me *wait.Owner) {
	if !l.readers.strike(me) {
		l.mu.Lock()
		wrong := l.readers.others.remove(me, 1) != 0
		l.mu.Unlock()
		if wrong {
			panic(fmt.Sprintf("curio: %s releases the RWLock (for reading), which it does not hold for reading: it is %v", taskName(taskOf(me)), l))
		}
	}
	var woken wait.Batch
	if l.readers.leave() {
		l.mu.Lock()
		woken = l.passLocked()
		l.mu.Unlock()
	}
	wait.Returned(me, l, 1)
	woken.Wake()
}

// Do calls fn with the lock held for writing, and releases it when fn returns or panics. The error
// is fn's error, or the error of Acquire. Do panics if fn is nil.
func (l *RWLock) Do(ctx context.Context, fn func(context.Context) error) error {
	return withLock(ctx, l, fn)
}

// DoRead is like Do, but holds the lock for reading.
func (l *RWLock) DoRead(ctx context.Context, fn func(context.Context) error) error {
	if fn == nil {
		panic("curio: DoRead with a nil function")
	}
	p, err := wait.At(ctx)
	if err != nil {
		return err
	}
	me := p.Owner()
	if err := l.acquireAt(p, opRead); err != nil {
		return err
	}
	defer l.releaseRead(me)
	wait.Held(ctx, l, 1)
	return fn(ctx)
}

// Snapshot returns the holders of the lock, which are the writer or the readers, and the tasks that
// wait for it, with their states.
func (l *RWLock) Snapshot() Snapshot {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.snapshotLocked()
}

func (l *RWLock) snapshotLocked() Snapshot {
	all := l.readers.all()
	s := Snapshot{all.appendTo(nil), appendWaiters(nil, &l.waiters)}
	if l.writing {
		s.Holders = append(s.Holders, holder(l.writer, 1))
	}
	return s
}

// String returns which tasks hold the lock, in which way, and how many wait.
func (l *RWLock) String() string {
	l.mu.Lock()
	writing, s := l.writing, l.snapshotLocked()
	l.mu.Unlock()
	details := ""
	switch {
	case writing:
		details = "writing"
	case len(s.Holders) > 0:
		details = "reading"
	}
	return s.text("RWLock", details)
}

func (l *RWLock) heldBy(o *wait.Owner) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.writing && l.writer == o
}

func (l *RWLock) leave(o *wait.Owner) int {
	l.release(o)
	return 1
}

func (l *RWLock) enter(p wait.Place, _ int) { mustAcquire(p, l) }
