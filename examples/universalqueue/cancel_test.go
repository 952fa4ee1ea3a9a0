package main

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/curio-go/curio/curiotest"
)

func TestCancelled(t *testing.T) {
	curiotest.CancelEverywhere(t, func(ctx context.Context) error { return run(ctx, io.Discard, 3, time.Millisecond) })
}
