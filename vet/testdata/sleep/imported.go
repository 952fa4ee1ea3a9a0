package sleep

import "time"
import "context"
import tasks "github.com/curio-go/curio"

func imported(ctx context.Context, d time.Duration) error {
	time.Sleep(2 * d) // want `time.Sleep goes on`
	return tasks.Sleep(ctx, d)
}
