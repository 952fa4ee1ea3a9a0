package main

import (
	"context"
	"io"
	"testing"

	"github.com/curio-go/curio/curiotest"
)

// Server, pool and clients run in one group, which is cancelled at each of their waits.
func TestCancelled(t *testing.T) {
	curiotest.CancelEverywhere(t, func(ctx context.Context) error { return run(ctx, io.Discard, 3, 1) })
}
