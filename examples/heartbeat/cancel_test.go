package main

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/internal/testutil"
)

// A program that says two lines is watched, and that is cancelled at each of its waits.
func TestCancelled(t *testing.T) {
	testutil.Need(t, "sh")
	for _, pty := range []bool{false, true} {
		curiotest.CancelEverywhere(t, func(ctx context.Context) error {
			return watch(ctx, io.Discard, settings{time.Minute, 1, pty, time.Second}, []string{"sh", "-c", "echo one; echo two"})
		})
	}
}
