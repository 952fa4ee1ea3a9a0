package process

import (
	"errors"
	"fmt"
	"runtime"
	"time"

	system "github.com/curio-go/curio/internal/process"
)

// limits are what a worker may use. The worker sets them itself, before the first call.
type limits struct {
	Memory  int64         // bytes, 0 for any
	CPUTime time.Duration // of one call, 0 for any
	Grace   time.Duration // how long a worker has to end after it has used up its processor time
}

// noLimit is more processor time than anybody will use. Some of it can be added up, and its seconds fit into
// 32 bits.
const noLimit = 10 * 365 * 24 * time.Hour

// minMemory is what a Go program cannot do without: below, it dies before it reaches main (traps 65).
const minMemory = 64 << 20

// checkLimits returns an error if a worker cannot have these limits, or the system has no such limits.
func checkLimits(memory int64, cpu time.Duration) error {
	switch {
	case memory != 0 && !limitsMemory:
		return fmt.Errorf("process: Config.Memory: %s has no limit for the memory that a process uses: %w",
			runtime.GOOS, errors.ErrUnsupported)
	case memory != 0 && memory < minMemory:
		return fmt.Errorf("process: Config.Memory is %d bytes; a Go program needs at least %s", memory, size(minMemory))
	case cpu < 0:
		return fmt.Errorf("process: Config.CPUTime is %v; leave it 0 for no limit", cpu)
	}
	return nil
}

// size prints a number of bytes.
func size(n int64) string {
	const mib = 1 << 20
	if n%mib == 0 {
		return fmt.Sprintf("%d MiB", n/mib)
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/mib)
}

// prepareWorker makes this process one that runs what it is told within limits. It is called once, before
// the first call. If it fails, the worker must not be used.
//
// In addition to the limits, it makes sure that programs that are started here inherit no
// descriptor by accident, that ps shows the program's name, and that the system, if it is short of
// memory, ends this process rather than its parent.
func prepareWorker(l limits) error {
	if err := system.CloseOnExecFrom(3); err != nil {
		return fmt.Errorf("descriptors cannot be marked close-on-exec: %w", err)
	}
	showName()
	preferForOOM()
	if l.Memory > 0 {
		if err := limitMemory(l.Memory); err != nil {
			return err
		}
	}
	if l.CPUTime > 0 {
		return theMeter.begin()
	}
	return nil
}
