package main

import (
	"os"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
)

// TestMain: the second process is this test binary, too.
func TestMain(m *testing.M) {
	if os.Getenv(workerVariable) != "" {
		main()
		return
	}
	testutil.Main(m, main)
}

func TestEchoServer(t *testing.T) { testutil.CheckEchoServer(t) }
