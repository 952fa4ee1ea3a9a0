package sleep

import (
	"context"
	"time"
)

// Tests arrange what they wait for.
func inTest(ctx context.Context) { time.Sleep(time.Second) }
