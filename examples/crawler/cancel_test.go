package main

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/curio-go/curio/curiotest"
)

// The site is a small one: all of it is visited again and again.
func TestCancelled(t *testing.T) {
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		return run(ctx, io.Discard, site{last: 5, silent: 5}, 2, 20*time.Millisecond)
	})
}
