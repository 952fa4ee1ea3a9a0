package debug_test

import (
	"context"
	"io"
	"log"
	"runtime/trace"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/debug"
)

// The task, its sleep and the user's region are in the trace; "go tool trace" shows them.
func ExampleSetTrace() {
	defer debug.SetTrace(debug.SetTrace(true))
	if err := trace.Start(io.Discard); err != nil { // a file, in a real program
		log.Fatal(err)
	}
	defer trace.Stop()
	_ = curio.Run(context.Background(), func(ctx context.Context) error {
		worker := curio.Go(ctx, func(ctx context.Context) error {
			defer trace.StartRegion(ctx, "nap").End()
			return curio.Sleep(ctx, time.Millisecond)
		}, curio.Name("worker"))
		return worker.Wait(ctx)
	})
	// Output:
}
