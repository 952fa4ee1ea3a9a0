// Package thread starts goroutines that own an OS thread.
package thread

import (
	"runtime"
	"sync"
)

// Go runs f in a goroutine that owns an OS thread, which ends with it. It is never
// the first thread of the process: that one does not end, and on Linux stands for the
// process in some respects, as in /proc.
func Go(f func()) {
	go func() {
		runtime.LockOSThread() // for good: the runtime ends a thread whose goroutine ended so
		if !onFirstThread() {
			f()
			return
		}
		// While this one holds the first thread, the next one gets another.
		var locked sync.WaitGroup
		locked.Add(1)
		go func() {
			runtime.LockOSThread()
			locked.Done()
			f()
		}()
		locked.Wait()
		runtime.UnlockOSThread()
	}()
}
