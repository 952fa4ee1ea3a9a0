//go:build !linux

package subprocess_test

import (
	"errors"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/subprocess"
)

func someLimits() []subprocess.Limit { return nil }

func needTracing(t testing.TB) {
	t.Helper()
	t.Skip("nothing is known here about who traces")
}

type tracer struct{}

func traceIt(testing.TB, int) tracer { return tracer{} }

func (tracer) letGo() {}

// Limits are refused where they cannot be kept.
func TestLimitsRefused(t *testing.T) {
	testutil.NoLeaks(t)
	c := shell("exit 0")
	c.Limits = []subprocess.Limit{{}}
	_, err := subprocess.Start(background, c)
	wantError(t, err, errors.ErrUnsupported)
}
