package testutil

import (
	"context"
	"runtime"
	"testing"
	"time"
)

// Patience is how long to wait for what has to come. It makes a hang visible; no
// test passes because of it.
const Patience = 30 * time.Second

// Await waits until cond holds, and ends the test if it does not come true.
func Await(t testing.TB, what string, cond func() bool) {
	t.Helper()
	if !Eventually(cond) {
		t.Fatalf("%s: it did not happen within %v\n\n%s", what, Patience, Stacks())
	}
}

// Eventually waits until cond holds, and reports false if it does not come true.
func Eventually(cond func() bool) bool {
	for began := time.Now(); !cond(); {
		if time.Since(began) > Patience {
			return false
		}
		Rest() // for a condition can be costly to check, and what it waits for needs the processor too
	}
	return true
}

// Rest sleeps for a millisecond.
func Rest() {
	rest, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	<-rest.Done()
}

// Receive returns the next value of c, and ends the test if none comes.
func Receive[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	bound, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	select {
	case v := <-c:
		return v
	case <-bound.Done():
		t.Fatalf("%s: nothing came within %v\n\n%s", what, Patience, Stacks())
		panic("unreachable")
	}
}

// Stacks is all goroutines of the process, as text.
func Stacks() string {
	for size := 1 << 20; ; size *= 4 {
		buf := make([]byte, size)
		if n := runtime.Stack(buf, true); n < size {
			return string(buf[:n])
		}
	}
}
