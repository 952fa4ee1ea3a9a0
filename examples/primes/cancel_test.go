package main

import (
	"context"
	"io"
	"testing"

	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/process"
)

// A search of two spans by one worker is cancelled at each of its waits.
func TestCancelled(t *testing.T) {
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		if err := process.Configure(ctx, process.Config{Workers: 1}); err != nil {
			return err
		}
		return run(ctx, io.Discard, io.Discard, 2000, 1000)
	})
}
