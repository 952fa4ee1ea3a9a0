package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/gobs"
	"github.com/curio-go/curio/subprocess"
)

// A worker is one seen from the outside. It has a task, run, that looks after it from its birth until
// nothing of it is left; a call may have a task below that.
type worker struct {
	pool *Pool

	// Set by the manager before run.
	cfg     Config
	started time.Time
	proc    *subprocess.Process
	link    *link

	ctx  context.Context // of run, for the tasks of calls
	stop curio.Event     // it has to end
	tail tail            // of its standard error

	// For the caller that has it.
	enc     gobs.Encoder
	dec     gobs.Decoder
	anew    bool     // the worker's encoder has to begin anew
	witness *witness // of how it dies

	// Guarded by pool.mu.
	state   workerState
	pid     int // 0 before it is born
	welcome bool
	startup time.Duration
	call    *call // nil for none
	number  uint32
	since   time.Time
	calls   int
	why     error // see tell
}

// String is the worker's name.
func (w *worker) String() string { return "worker " + strconv.Itoa(w.proc.Pid()) }

func (w *worker) describeLocked() Worker {
	d := Worker{Pid: w.pid, Started: w.started, Startup: w.startup, Since: w.since, Calls: w.calls}
	if w.call != nil && w.state == isBusy {
		d.Func = w.call.function
	}
	return d
}

// run looks after the worker. No cancellation reaches it: it is told to end.
func (w *worker) run(ctx context.Context) error {
	return curio.DisableCancellation(ctx, func(ctx context.Context) error {
		w.ctx = ctx
		var outputs [2]*curio.Task[struct{}]
		outputs[0] = curio.Go(ctx, w.reads(w.proc.Stdout, false), curio.Name("stdout"))
		outputs[1] = curio.Go(ctx, w.reads(w.proc.Stderr, true), curio.Name("stderr"))
		failure := w.greet(ctx)
		if failure == nil {
			w.pool.welcome(w)
			_, _ = curio.Select(ctx, w.proc.WaitCase(nil), w.stop.WaitCase())
		}
		w.end(ctx, outputs, failure)
		return nil
	})
}

// greet exchanges greetings, unless that takes too long or the worker has to end.
func (w *worker) greet(ctx context.Context) error {
	hello := curio.Go(ctx, w.exchangeGreetings, curio.Name("hello"), curio.ReportCrash(false))
	var err error
	switch i, _ := curio.Select(ctx, hello.WaitCase(), w.stop.WaitCase(), curio.AfterCase(w.cfg.StartTimeout)); i {
	case 0:
		return hello.Err()
	case 1:
		err = ErrPoolClosed
	case 2:
		err = errLate
	}
	_, _ = hello.Cancel(ctx)
	return err
}

var (
	errLate  = errors.New("it has not called process.Main in time")
	errOther = errors.New("it is another program: this program's file has been replaced since it was started")
)

// exchangeGreetings tells the worker its settings, and waits until it has said hello.
func (w *worker) exchangeGreetings(ctx context.Context) error {
	g := greeting{Version: version, Build: theBuild(), Processors: w.cfg.Processors, Grace: w.cfg.Grace, Limits: w.cfg.limits()}
	if err := w.link.send(ctx, aGreeting, 0, g.pack(), nil); err != nil {
		return err
	}
	f, err := w.link.receive(ctx)
	if err != nil {
		return err
	}
	var h hello
	switch err := json.Unmarshal(f.body, &h); {
	case err != nil || f.kind != aHello:
		return errProtocol
	case h.Version != g.Version || h.Build != g.Build:
		return errOther
	case h.Refusal != "":
		return &refused{h.Refusal}
	}
	return nil
}

// A refused is what a worker has said instead of hello.
type refused struct{ why string }

func (e *refused) Error() string { return e.why }

// lastWords is how long output is waited for when the worker has ended. Something else may have its pipes open.
// Tests make it shorter.
var lastWords = time.Second

// end ends the worker if it still runs, waits until nothing of it is left, and fails its call. failure is
// why it could not be greeted.
func (w *worker) end(ctx context.Context, outputs [2]*curio.Task[struct{}], failure error) {
	w.tell(nil) // nobody gets it any more
	p := w.pool
	p.mu.Lock()
	c, why := w.call, w.why
	p.mu.Unlock()
	status, err := w.proc.Stop(ctx)
	if err != nil {
		w.await(ctx, func(ctx context.Context) error { // the log's handler is not ours, and may hang
			_, _ = curio.RunInThreadLimited(ctx, curio.NewSemaphore(1), func() (struct{}, error) {
				curio.LoggerOf(ctx).Warn("process: a worker cannot be ended", "worker", w.pid, "err", err)
				return struct{}{}, nil
			})
			return nil
		})
	}
	if c != nil {
		w.await(ctx, c.ended.Wait)
	}
	w.link.close()
	if c != nil {
		_ = c.ended.Wait(ctx)
	}
	w.await(ctx, func(ctx context.Context) error { return errors.Join(outputs[0].Wait(ctx), outputs[1].Wait(ctx)) })
	for _, task := range outputs {
		_, _ = task.Cancel(ctx)
	}
	_ = w.proc.Close()
	p.mu.Lock()
	if w.why != nil {
		why = w.why
	}
	p.mu.Unlock()
	died := &WorkerError{Pid: w.pid, Status: status, Stderr: w.tail.bytes()}
	died.Reason = w.reason(died, failure, why)
	if c != nil {
		died.Func = c.function
		a := arrival{err: died, safe: c.unread && why == nil}
		if why == ErrPoolClosed {
			a.err = why
		}
		c.put(a)
	}
	if failure == nil {
		p.gone(w, nil, false)
		return
	}
	_, wasRefused := failure.(*refused)
	p.gone(w, died, wasRefused || failure == errLate || failure == errOther)
}

// reason says why the worker has died.
func (w *worker) reason(died *WorkerError, failure, why error) string {
	_, wasRefused := failure.(*refused)
	switch {
	case failure == errLate:
		return fmt.Sprintf("it has not called process.Main within %v; that has to be the first line of main", w.cfg.StartTimeout)
	case wasRefused || failure == errOther || failure == errProtocol:
		return failure.Error()
	case failure != nil:
		return died.Status.String() + " before it has called process.Main, which has to be the first line of main"
	case why != nil:
		return why.Error()
	}
	return w.witness.explain(died.Status, died.Stderr)
}

// await waits for something, but not for long.
func (w *worker) await(ctx context.Context, wait func(ctx context.Context) error) {
	_ = curio.TimeoutAfter(ctx, lastWords, wait)
}
