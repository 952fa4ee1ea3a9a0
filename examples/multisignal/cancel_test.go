package main

import (
	"context"
	"io"
	"os"
	"syscall"
	"testing"

	"github.com/curio-go/curio/curiotest"
)

func TestCancelled(t *testing.T) {
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		return run(ctx, &printer{out: io.Discard}, 1, func() {
			if err := syscall.Kill(os.Getpid(), syscall.SIGUSR1); err != nil {
				t.Error(err)
			}
		})
	})
}
