//go:build linux

package main

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"testing"
	"time"
)

// TestMain checks that the tests leave no goroutine and no descriptor.
func TestMain(m *testing.M) {
	// The first listener makes the runtime open its poller, which stays.
	if listener, err := net.Listen("tcp4", "127.0.0.1:0"); err == nil {
		listener.Close()
	}
	goroutines, descriptors := runtime.NumGoroutine(), openDescriptors()
	code := m.Run()
	left := func() bool {
		return runtime.NumGoroutine() > goroutines || openDescriptors() > descriptors
	}
	for deadline := time.Now().Add(5 * time.Second); left() && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond) // what was closed a moment ago may still be ending
	}
	if code == 0 && left() {
		fmt.Fprintf(os.Stderr, "%d goroutines and %d descriptors are left, of %d and %d at the start\n",
			runtime.NumGoroutine(), openDescriptors(), goroutines, descriptors)
		code = 1
	}
	os.Exit(code)
}

func openDescriptors() int {
	entries, _ := os.ReadDir("/proc/self/fd")
	return len(entries)
}
