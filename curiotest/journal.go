package curiotest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/wait"
)

// A journal is the handler of a kernel's log. It keeps what the kernel itself complains
// about: panics, and errors of tasks that nobody has seen.
type journal struct {
	mu      sync.Mutex
	entries []string
}

// Enabled is part of slog.Handler.
func (j *journal) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelError }

// WithAttrs is part of slog.Handler. What has attributes of its own is not the kernel's.
func (j *journal) WithAttrs([]slog.Attr) slog.Handler { return slog.DiscardHandler }

// WithGroup is part of slog.Handler.
func (j *journal) WithGroup(string) slog.Handler { return slog.DiscardHandler }

// Handle is part of slog.Handler.
func (j *journal) Handle(_ context.Context, r slog.Record) error {
	if !strings.HasPrefix(r.Message, "curio: ") {
		return nil // a task's own, by curio.LoggerOf
	}
	text := strings.TrimPrefix(r.Message, "curio: ")
	cancellation := false
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "err" {
			cancellation = isLoggedCancellation(a.Value.Any())
		}
		sep := ", "
		if a.Key == "stack" {
			sep = "\n"
		}
		text += fmt.Sprintf("%s%s: %v", sep, a.Key, a.Value.Any())
		return true
	})
	if cancellation {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, text)
	return nil
}

func (j *journal) complaints() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.entries)
}

// isLoggedCancellation is isCancellation for an error in the log. Of a task that is no
// daemon, the kernel keeps the text alone, for the error may lead to all that the task
// had.
func isLoggedCancellation(err any) bool {
	if err, ok := err.(error); ok {
		return isCancellation(err)
	}
	text := fmt.Sprint(err)
	return slices.ContainsFunc(cancellations, func(c error) bool { return strings.Contains(text, c.Error()) })
}

var cancellations = []error{
	curio.ErrCancelled, curio.ErrTaskCancelled, curio.ErrTaskTimeout, curio.ErrTimeoutCancellation,
	context.Canceled, context.DeadlineExceeded,
}

// isCancellation reports whether err says nothing but that something was cancelled.
func isCancellation(err error) bool {
	switch e := err.(type) {
	case *curio.PanicError:
		return false
	case *wait.Error:
		return true
	case interface{ Unwrap() []error }:
		errs := e.Unwrap()
		return len(errs) > 0 && !slices.ContainsFunc(errs, func(err error) bool { return !isCancellation(err) })
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			return isCancellation(inner)
		}
	}
	return slices.ContainsFunc(cancellations, func(c error) bool { return errors.Is(err, c) })
}

// forget drops what contains text.
func (j *journal) forget(text string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = slices.DeleteFunc(j.entries, func(e string) bool { return strings.Contains(e, text) })
}
