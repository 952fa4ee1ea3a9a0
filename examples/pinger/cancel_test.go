package main

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/internal/testutil"
)

func TestCancelled(t *testing.T) {
	testutil.Need(t, "sh")
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		return ping(ctx, io.Discard, time.Hour, []string{"sh", "-c", "echo one; echo two"})
	})
}
