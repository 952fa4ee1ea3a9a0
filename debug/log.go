package debug

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/events"
	"github.com/curio-go/curio/internal/wait"
)

// callsFor returns the calls that tell of event.
func (t *trace) callsFor(kind events.Kind, event TaskEvent) (calls []func()) {
	if hook := t.config.Activation.of(kind); hook != nil {
		calls = append(calls, func() { hook(event) })
	}
	if t.config.TrapTrace || t.config.SchedTrace && kind != events.Cancelled {
		calls = append(calls, func() { t.logEvent(kind, event) })
	}
	return calls
}

// of returns the function for events of a kind, nil for none.
func (a *Activation) of(kind events.Kind) func(TaskEvent) {
	switch kind {
	case events.Created:
		return a.Created
	case events.Running, events.Resumed:
		return a.Running
	case events.Waits, events.Sleeps, events.Joins:
		return a.Suspended
	case events.Cancelled:
		return a.Cancelled
	case events.Ended, events.Failed, events.Panicked:
		return a.Terminated
	}
	return nil
}

// lost returns the call that tells that n events were lost.
func (t *trace) lost(n uint64) func() {
	return func() {
		if t.config.SchedTrace || t.config.TrapTrace || t.config.LogCrash {
			t.log(time.Now(), slog.LevelWarn, "curio: events are missing in the trace", slog.Uint64("events", n))
		}
		if f := t.config.Activation.Lost; f != nil {
			f(n)
		}
	}
}

// logEvent logs event for SchedTrace or TrapTrace.
func (t *trace) logEvent(kind events.Kind, event TaskEvent) {
	all := t.config.TrapTrace
	attrs := []slog.Attr{slog.Uint64("task", event.Task), slog.String("name", event.Name)}
	add := func(when bool, attr slog.Attr) {
		if when {
			attrs = append(attrs, attr)
		}
	}
	text := ""
	switch kind {
	case events.Created:
		text = "curio: task created"
		add(event.Parent != 0, slog.Uint64("parent", event.Parent))
	case events.Running, events.Resumed:
		text = "curio: task runs"
		add(all && event.Op != "", slog.String("after", event.Op))
		add(all && event.Op != "", slog.Duration("waited", event.Waited))
		add(all && event.CutShort, slog.Bool("cut short", true))
	case events.Waits, events.Sleeps, events.Joins:
		text = "curio: task waits"
		add(true, slog.String("op", event.Op))
		add(all && event.Object != "", slog.String("for", event.Object))
	case events.Cancelled:
		text = "curio: " + event.How
		add(event.By != 0, slog.Uint64("by", event.By))
	default:
		text = "curio: task ended"
		add(true, slog.String("how", event.How))
		add(event.Error != "", slog.String("error", event.Error))
	}
	t.log(event.Time, slog.LevelInfo, text, attrs...)
}

// logCrash logs a task's error.
func (t *trace) logCrash(f events.Failure) {
	attrs := []slog.Attr{slog.Uint64("task", f.Task), slog.String("name", f.Name), slog.String("path", f.Path.String()), slog.Any("err", f.Err)}
	text := "curio: task failed"
	var p *curio.PanicError
	if errors.As(f.Err, &p) {
		attrs = append(attrs, slog.String("stack", string(p.Stack)))
	}
	t.log(wait.Time(f.At), slog.LevelError, text, attrs...)
}

// log logs what has happened at the given time. It calls the handler, which is the user's.
func (t *trace) log(at time.Time, level slog.Level, text string, attrs ...slog.Attr) {
	logger := t.config.Logger
	if logger == nil {
		logger = slog.Default()
	}
	if t.config.Level != nil {
		level = t.config.Level.Level()
	}
	ctx := context.Background()
	if h := logger.Handler(); h.Enabled(ctx, level) {
		r := slog.NewRecord(at, level, text, 0)
		r.AddAttrs(attrs...)
		_ = h.Handle(ctx, r)
	}
}
