package curio_test

import (
	"context"
	"testing"

	"github.com/curio-go/curio"
)

func TestInspect(t *testing.T) {
	k := curio.NewKernel()
	err := k.Run(context.Background(), func(ctx context.Context) error {
		var l curio.Lock
		_ = l.Acquire(ctx)
		w := curio.Go(ctx, func(ctx context.Context) error { return l.Acquire(ctx) }, curio.Name("w"))
		for w.State() != "LOCK_ACQUIRE" {
			if err := curio.Sleep(ctx, 1); err != nil {
				return err
			}
		}
		for _, i := range k.Inspect() {
			t.Logf("%+v", i)
		}
		l.Release(ctx)
		return w.Wait(ctx)
	})
	if err != nil {
		t.Error(err)
	}
}
