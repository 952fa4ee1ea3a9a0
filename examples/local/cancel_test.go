package main

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio/curiotest"
)

func TestCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		curiotest.CancelEverywhere(t, func(ctx context.Context) error { return run(ctx, io.Discard, 2, time.Second) })
	})
}
