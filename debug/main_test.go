package debug_test

import (
	"os"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m, child) }

// child is what a child process of a test runs.
func child() {
	switch os.Args[1] {
	case "traceback labels":
		tracebackLabels()
	}
}
