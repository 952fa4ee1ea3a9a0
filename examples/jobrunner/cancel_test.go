package main

import (
	"context"
	"io"
	"os"
	"testing"
	"time"

	"github.com/curio-go/curio/curiotest"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/stream"
)

// Two jobs are run, and that is cancelled at each of its waits.
func TestCancelled(t *testing.T) {
	testutil.Need(t, "sh")
	file := testutil.WriteFile(t, "jobs", []byte("echo one\necho two\n"))
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		lines, err := stream.FromFile(f)
		if err != nil {
			return err
		}
		defer lines.Close()
		return run(ctx, io.Discard, lines, settings{atOnce: 1, within: time.Minute, cpu: 60, memory: 1024, file: 1, output: 1000})
	})
}
