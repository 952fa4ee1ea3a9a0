package process

import (
	"time"

	"github.com/curio-go/curio/subprocess"
)

// Explain says what a worker with these limits has died of, which had used some processor time before its call.
func Explain(memory int64, cpu, usedBefore time.Duration, status subprocess.ExitStatus, stderr string) string {
	w := &witness{limits: limits{Memory: memory, CPUTime: cpu}, used: usedBefore, kills: theOOMKills.now()}
	return w.explain(status, []byte(stderr))
}

// WithoutCPUTimers makes this worker count the processor time of its next calls by RLIMIT_CPU.
func WithoutCPUTimers() {
	theMeter.mu.Lock()
	defer theMeter.mu.Unlock()
	theMeter.warns, theMeter.kills = nil, nil
}

// SetKillsAfter sets what a process may use before it is killed, beyond what it may use.
func SetKillsAfter(d time.Duration) (before time.Duration) {
	theMeter.mu.Lock()
	defer theMeter.mu.Unlock()
	before, killsAfter = killsAfter, d
	return before
}
