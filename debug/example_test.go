package debug_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/debug"
)

// A log of what one task does.
func ExampleStart() {
	withoutTime := &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == "task" || a.Key == "parent" {
			return slog.Attr{}
		}
		return a
	}}
	stop := debug.Start(debug.Config{
		SchedTrace: true,
		Tasks:      []string{"worker"},
		Logger:     slog.New(slog.NewTextHandler(os.Stdout, withoutTime)),
	})
	defer stop()

	curio.Run(context.Background(), func(ctx context.Context) error {
		var ready curio.Event
		worker := curio.Go(ctx, ready.Wait, curio.Name("worker"))
		for worker.State() != "EVENT_WAIT" {
			if err := curio.Sleep(ctx, time.Millisecond); err != nil {
				return err
			}
		}
		ready.Set()
		_, err := worker.Join(ctx)
		return err
	})
	// Output:
	// level=INFO msg="curio: task created" name=worker
	// level=INFO msg="curio: task runs" name=worker
	// level=INFO msg="curio: task waits" name=worker op=EVENT_WAIT
	// level=INFO msg="curio: task runs" name=worker
	// level=INFO msg="curio: task ended" name=worker how=ended
}

// Functions that are called when something happens to a task.
func ExampleActivation() {
	stop := debug.Start(debug.Config{Activation: debug.Activation{
		Suspended:  func(e debug.TaskEvent) { fmt.Println(e.Name, "waits:", e.Op) },
		Terminated: func(e debug.TaskEvent) { fmt.Println(e.Name, "ended:", e.How) },
	}, Tasks: []string{"worker"}})
	defer stop()

	curio.Run(context.Background(), func(ctx context.Context) error {
		worker := curio.Go(ctx, func(ctx context.Context) error {
			return curio.Sleep(ctx, time.Hour)
		}, curio.Name("worker"))
		for worker.State() != "TIME_SLEEP" {
			if err := curio.Sleep(ctx, time.Millisecond); err != nil {
				return err
			}
		}
		worker.Cancel(ctx)
		return nil
	})
	// Output:
	// worker waits: TIME_SLEEP
	// worker ended: cancelled
}
