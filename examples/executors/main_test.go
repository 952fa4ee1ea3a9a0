package main

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/alitto/pond/v2"
	"github.com/panjf2000/ants/v2"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m, main) }

func TestExecutors(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	const want = `ants: squares [0 1 4 9 16]
ants: gave up on a function that hangs
ants: 42 came too late
pond: squares [0 1 4 9 16]
pond: gave up on a function that hangs
pond: 42 came too late
`
	if out.String() != want {
		t.Errorf("output:\n%s", &out)
	}
}

// A pool that is closed does not run anything, and says so.
func TestClosedPools(t *testing.T) {
	antsPool, err := ants.NewPool(1)
	if err != nil {
		t.Fatal(err)
	}
	antsPool.Release()
	pondPool := pond.NewPool(1)
	pondPool.StopAndWait()
	for _, c := range []struct {
		ex   curio.Executor
		want error
	}{{antsPool, ants.ErrPoolClosed}, {pondExecutor{pondPool}, pond.ErrPoolStopped}} {
		_, err := curio.RunInExecutor(context.Background(), c.ex, func() (int, error) {
			t.Error("it runs")
			return 0, nil
		})
		if !errors.Is(err, c.want) {
			t.Errorf("%T: %v, want %v", c.ex, err, c.want)
		}
	}
}
