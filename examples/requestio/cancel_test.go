package main

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/curio-go/curio/curiotest"
)

// The silent page costs each run its timeout.
func TestCancelled(t *testing.T) {
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		return run(ctx, io.Discard, 20*time.Millisecond, 2)
	})
}
