package curio

import (
	"context"
	"fmt"
	"sync"

	"github.com/curio-go/curio/internal/wait"
)

// An RWLock is held by one writer or by any number of readers: sync.RWMutex with
// contexts. Who waits gets it in order of arrival, readers that stand next to each other
// together; so a writer that waits holds up the readers that come after it, and neither
// side starves. The zero value is free. It must not be copied after first use. All
// methods are safe for concurrent use.
//
// Acquire, TryAcquire, Release and Do are the writer's: with them it is a Locker. A task
// that holds it in either way and asks for it again may wait for itself, until its
// context ends.
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

// Acquire takes the lock for writing, and waits for it if it must, in order of arrival.
// If ctx ends first, the error is that of ctx and the lock is not taken.
func (l *RWLock) Acquire(ctx context.Context) error { return l.acquireFor(ctx, opWrite) }

// AcquireRead takes the lock for reading, and waits if somebody writes or waits for it.
// If ctx ends first, the error is that of ctx and the lock is not taken.
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

// TryAcquire takes the lock for writing if it is free, and reports whether it has. It
// does not ask whether ctx is alive.
func (l *RWLock) TryAcquire(ctx context.Context) bool { return l.tryAcquireFor(ctx, opWrite) }

// TryAcquireRead takes the lock for reading if nobody writes or waits, and reports
// whether it has. It does not ask whether ctx is alive.
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

// Release ends the writing, and hands the lock on. It never blocks and does not ask
// whether ctx is alive. It panics if the task does not hold the lock for writing.
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

// ReleaseRead ends one reading of the task; the last of all hands the lock on. It never
// blocks and does not ask whether ctx is alive. It panics if the task does not hold the
// lock for reading.
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

// Do calls fn with the lock held for writing, and releases it however fn ends: also by a
// panic. The error is fn's, or that of Acquire. It panics if fn is nil.
func (l *RWLock) Do(ctx context.Context, fn func(context.Context) error) error {
	return withLock(ctx, l, fn)
}

// DoRead is Do for reading.
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

// Snapshot returns who holds the lock, the writer or the readers, and who waits for it
// in which state.
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

// String says who holds the lock, in which way, and how many wait.
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
