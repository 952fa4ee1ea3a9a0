package process

import (
	"time"

	"github.com/curio-go/curio/subprocess"
)

// A Witness is what is known of a worker before it dies.
type Witness = witness

// Watch returns one of a worker with these limits, which has used some processor time before its call.
func Watch(memory int64, cpu, used time.Duration) *Witness {
	w := limits{Memory: memory, CPUTime: cpu}.watch(0)
	w.used = used
	return w
}

// Explain says what the worker has died of.
func (w *witness) Explain(status subprocess.ExitStatus, stderr string) string {
	return w.explain(status, []byte(stderr))
}

// WithoutCPUTimers makes this worker count the processor time of its next calls by RLIMIT_CPU.
func WithoutCPUTimers() {
	theMeter.mu.Lock()
	defer theMeter.mu.Unlock()
	if theMeter.warns != nil {
		_, _ = theMeter.warns.Set(0, 0), theMeter.kills.Set(0, 0)
	}
	theMeter.warns, theMeter.kills = nil, nil
}

// SetKillsAfter sets what a process may use before it is killed, beyond what it may use.
func SetKillsAfter(d time.Duration) (before time.Duration) {
	theMeter.mu.Lock()
	defer theMeter.mu.Unlock()
	before, killsAfter = killsAfter, d
	return before
}
