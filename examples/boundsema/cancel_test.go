package main

import (
	"bytes"
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/curiotest"
)

// In virtual time there are as many cars as there are spaces, and so two turns for six cars.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		begun := time.Now()
		err := curio.Run(t.Context(), func(ctx context.Context) error {
			return park(ctx, &out, curio.NewBoundedSemaphore(3), 6, time.Hour)
		})
		if took := time.Since(begun); err != nil || took != 2*time.Hour || out.String() != "6 cars have parked, at most 3 at a time\n" {
			t.Errorf("%v after %v: %q", err, took, out.String())
		}
	})
}

// The mistake is left out: a panic fails the test.
func TestCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		curiotest.CancelEverywhere(t, func(ctx context.Context) error {
			return park(ctx, io.Discard, curio.NewBoundedSemaphore(2), 4, time.Second)
		})
	})
}
