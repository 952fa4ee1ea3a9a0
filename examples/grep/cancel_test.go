package main

import (
	"context"
	"io"
	"regexp"
	"testing"

	"github.com/curio-go/curio/curiotest"
)

func TestCancelled(t *testing.T) {
	dir := tree(t, 1)
	curiotest.CancelEverywhere(t, func(ctx context.Context) error {
		s := &search{pattern: regexp.MustCompile("needle"), workers: 2, out: io.Discard, errs: io.Discard}
		return s.run(ctx, []string{dir})
	})
}
