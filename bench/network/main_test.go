//go:build linux

package main

import (
	"os"
	"runtime"
	"testing"
)

// The test binary plays the children.
func TestMain(m *testing.M) {
	playRole()
	os.Exit(m.Run())
}

// Each work gives figures, with either implementation.
func TestWorks(t *testing.T) {
	if n := runtime.NumCPU(); n < 2 {
		t.Skipf("this machine has %d CPU: the server and its client need one each", n)
	}
	runtime.LockOSThread() // children die with the thread that started them
	defer runtime.UnlockOSThread()
	for _, w := range works {
		w.connections = min(w.connections, 100)
		for _, name := range implementations {
			s, err := measure(name, w, 0.05, "0", "1")
			if err != nil {
				t.Fatalf("%s, %s: %v", w.name, name, err)
			}
			if s.PerSecond <= 0 || w.rate && s.CPU <= 0 {
				t.Errorf("%s, %s: %+v", w.name, name, s)
			}
		}
	}
}
