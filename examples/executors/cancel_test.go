package main

import (
	"context"
	"io"
	"testing"

	"github.com/curio-go/curio/curiotest"
)

// The pools have goroutines of their own, so there is no bubble.
func TestCancelled(t *testing.T) {
	curiotest.CancelEverywhere(t, func(ctx context.Context) error { return run(ctx, io.Discard) })
}
