package file_test

import (
	"context"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/file"
)

// In a bubble of testing/synctest files work as elsewhere, and the clock does not advance while a worker is at
// it.
func TestBubble(t *testing.T) {
	name := filepath.Join(t.TempDir(), "data")
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		err := curio.Run(context.Background(), func(ctx context.Context) error {
			return curio.TimeoutAfter(ctx, time.Minute, func(ctx context.Context) error {
				f, err := file.Create(ctx, name)
				if err != nil {
					return err
				}
				file.Forget(f)
				for range 100 {
					if _, err := f.WriteString(ctx, poem); err != nil {
						return err
					}
				}
				got := make([]byte, len(poem))
				if _, err := f.ReadAt(ctx, got, 0); err != nil || string(got) != poem {
					t.Errorf("%q, %v", got, err)
				}
				return f.CloseContext(ctx)
			})
		})
		check(t, err)
		if d := time.Since(start); d != 0 {
			t.Errorf("it took %v", d)
		}
	})
}
