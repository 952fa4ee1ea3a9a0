package file

import (
	"context"
	"errors"
	"os"
	"sync/atomic"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/wait"
)

// A job is one call in a worker, about whose end the worker and the caller agree: each thing that the
// call makes, changes or opens is left to exactly one of them.
//
//	queued ──► working ──► committing ──► returned    by the worker
//	   ▼          ▼            ▼
//	dropped   abandoned       lost                    by the caller, whose context is done
//
// While it is working, it has done nothing that it cannot undo, and if it is abandoned it undoes it.
// What it does after commit may have an effect whatever becomes of the caller.
type job struct {
	phase atomic.Uint32
	dev   *device // nil for the path's
}

const (
	jobQueued uint32 = iota
	jobWorking
	jobCommitting
	jobReturned
	jobDropped   // it will not be called
	jobAbandoned // it goes on, and will leave no trace
	jobLost      // it goes on
)

// commit is called by the worker before it does what it cannot undo. It must not do that if commit
// reports false, because the caller has gone, and has said that nothing happens.
func (j *job) commit() bool { return j.phase.CompareAndSwap(jobWorking, jobCommitting) }

// deserted reports whether the caller has gone. The worker asks it between two pieces of work.
func (j *job) deserted() bool { return j.phase.Load() > jobReturned }

// orphaned reports to the caller that the worker goes on, and disposes of what it has.
func (j *job) orphaned() bool {
	phase := j.phase.Load()
	return phase == jobAbandoned || phase == jobLost
}

// settle is called by the worker at its end. It returns false if the caller has gone.
func (j *job) settle() bool {
	return j.phase.CompareAndSwap(jobWorking, jobReturned) || j.phase.CompareAndSwap(jobCommitting, jobReturned)
}

// leave is called by the caller, and returns the last phase that it gets to see.
func (j *job) leave() uint32 {
	for {
		phase := j.phase.Load()
		next := phase
		switch phase {
		case jobQueued:
			next = jobDropped
		case jobWorking:
			next = jobAbandoned
		case jobCommitting:
			next = jobLost
		}
		if j.phase.CompareAndSwap(phase, next) {
			return next
		}
	}
}

// errDeserted is what a worker returns to nobody.
var errDeserted = errors.New("file: the caller has gone")

// work calls fn, which makes system calls, in a worker, and returns what it returns; j is new. If
// ctx is done first, the error wraps ctx's error, an *unknownError after fn has called j.commit,
// and orphan gets what fn returns, in the worker. A call that has ended by then is not abandoned,
// and its result counts.
func work[T any](ctx context.Context, j *job, op, path string, fn func() (T, error), orphan func(T)) (T, error) {
	type result struct {
		v   T
		err error
	}
	r := new(result)
	dev := j.dev
	if dev == nil {
		dev = deviceOfPath(path)
	}
	left := false
	defer func() {
		// A method of ctx has panicked, for example. What the worker has must not stay with nobody.
		if !left && j.leave() == jobReturned && orphan != nil {
			orphan(r.v)
		}
	}()
	call := func() (struct{}, error) {
		if !j.phase.CompareAndSwap(jobQueued, jobWorking) {
			return struct{}{}, nil
		}
		r.v, r.err = fn()
		if !j.settle() && orphan != nil {
			orphan(r.v)
		}
		_ = step("settled", path)
		return struct{}{}, nil
	}
	_, err := at(ctx, func(_ context.Context, p wait.Place) (struct{}, error) {
		_, _, err := inWorker(p, dev, nil, op, path, call, nil)
		if err == errCut && j.leave() == jobReturned {
			err = nil // before the cancellation counts as told: the task's next wait has it
		}
		return struct{}{}, err
	})
	var none T
	left = true
	switch j.leave() {
	case jobReturned:
		return r.v, r.err
	case jobLost:
		return none, &unknownError{err}
	}
	return none, err
}

// ask makes a system call that changes nothing.
func ask[T any](ctx context.Context, op, path string, fn func() (T, error)) (T, error) {
	v, err := work(ctx, new(job), op, path, func() (v T, err error) {
		err = again(func() (err error) {
			if err = step(op, path); err == nil {
				v, err = fn()
			}
			return err
		})
		return v, err
	}, nil)
	return v, failed(op, path, err, false)
}

// change makes a system call that changes something.
func change(ctx context.Context, op, path string, fn func() error) error {
	return failed(op, path, changing(ctx, new(job), op, path, fn), false)
}

// changeLink is change for two paths, in the workers of dev, or of newname's device if dev is nil.
func changeLink(ctx context.Context, dev *device, op, oldname, newname string, fn func() error) error {
	err := changing(ctx, &job{dev: dev}, op, newname, fn)
	if _, ok := err.(*os.LinkError); err == nil || ok {
		return err
	}
	return &os.LinkError{Op: op, Old: oldname, New: newname, Err: err}
}

func changing(ctx context.Context, j *job, op, path string, fn func() error) error {
	_, err := work(ctx, j, op, path, func() (struct{}, error) {
		if !j.commit() {
			return struct{}{}, errDeserted
		}
		return struct{}{}, again(func() error {
			if err := step(op, path); err != nil {
				return err
			}
			return fn()
		})
	}, nil)
	return err
}

// cleanUpBound is how long a clean-up may go on when the caller's context is done.
const cleanUpBound = time.Second

// cleanUp calls fn, which gives something back, whatever has become of ctx, and waits for it. When ctx is
// done, it waits for a second or two, since a device may hang. After that fn goes on in the background, and
// the error is ErrOutcomeUnknown.
func cleanUp(ctx context.Context, op, path string, fn func() error) error {
	var ended curio.Event
	var result error
	go func() {
		defer ended.Set()
		j := new(job)
		_, result = work(context.Background(), j, op, path, func() (struct{}, error) { return struct{}{}, again(fn) }, nil)
		if j.phase.Load() == jobDropped { // there was no worker to be had
			result = again(fn)
		}
	}()
	late := false
	_ = curio.DisableCancellation(ctx, func(shielded context.Context) (err error) {
		for last := false; !last; {
			last = ctx.Err() != nil
			if late, err = curio.IgnoreAfter(shielded, cleanUpBound, ended.Wait); !late {
				late = err != nil
				return err
			}
		}
		return nil
	})
	if late {
		return failed(op, path, ErrOutcomeUnknown, false)
	}
	return failed(op, path, result, false)
}

// fault is called before system calls, with a name for the call and the path. Tests make it fail, or
// wait.
var fault atomic.Pointer[func(call, path string) error]

func step(call, path string) error {
	if f := fault.Load(); f != nil {
		return (*f)(call, path)
	}
	return nil
}
