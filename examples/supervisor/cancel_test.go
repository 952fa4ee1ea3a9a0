package main

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/internal/testutil"
)

// One program that ends at once runs until it is given up; this is cancelled at each of its waits.
func TestCancelled(t *testing.T) {
	testutil.Need(t, "sh")
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		p := &program{
			settings: settings{pause: time.Millisecond, longest: time.Millisecond, steady: time.Hour, ends: 2, grace: time.Second},
			name:     "a", command: "echo hello", out: &printer{out: io.Discard},
		}
		if err := p.keepRunning(ctx); errors.Is(err, curio.ErrCancelled) {
			return err
		}
		return nil // given up, as it is meant to be
	})
}
