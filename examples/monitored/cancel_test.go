package main

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio/curiotest"
)

func TestCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		curiotest.CancelEverywhere(t, func(ctx context.Context) error { return work(ctx, 5, time.Millisecond) })
	})
}
