package process

import (
	"bytes"
	"fmt"
	"strings"
	"syscall"
	"time"

	system "github.com/curio-go/curio/internal/process"
	"github.com/curio-go/curio/internal/signals"
	"github.com/curio-go/curio/subprocess"
)

// A witness knows of a worker, from the time before its death, what is needed to say what it has died of.
type witness struct {
	limits limits
	pid    int
	used   time.Duration // processor time before the call
	kills  uint64        // how many processes the system has killed for want of memory
}

// watch returns a witness for a worker that a call is about to be sent to.
func (l limits) watch(pid int) *witness {
	w := &witness{limits: l, pid: pid, kills: theOOMKills.lately()}
	if l.CPUTime > 0 {
		w.used, _ = system.ProcessorTimeOf(pid)
	}
	return w
}

// explain says what a worker has died of, which was not ended by us. stderr is what it wrote last.
func (w *witness) explain(status subprocess.ExitStatus, stderr []byte) string {
	crash := ""
	if status.Code == statusCrash || status.Signal == syscall.SIGABRT { // the latter with GOTRACEBACK=crash
		crash = crashLine(stderr)
	}
	switch {
	case status.Unknown:
		return "its exit status is unknown, as somebody else has collected it"
	case w.overCPUTime(status):
		return fmt.Sprintf("CPU time limit: the call has used more than %v", w.limits.CPUTime)
	case status.Signal == syscall.SIGKILL && theOOMKills.now() > w.kills:
		return "killed by SIGKILL: the system was out of memory"
	case status.Signal == syscall.SIGKILL:
		return "killed by SIGKILL, perhaps out of memory"
	case status.Signal != nil && crash == "":
		return killedBy(status)
	case crash == "":
		return status.String() + ": the function, or something that it has called, has ended the process"
	case isOutOfMemory(crash) && w.limits.Memory > 0:
		return "memory limit of " + size(w.limits.Memory)
	case isOutOfMemory(crash):
		return "out of memory"
	case strings.HasPrefix(crash, "panic: "):
		return "a panic in a goroutine of the function's"
	default:
		return "the program has crashed"
	}
}

// overCPUTime reports whether a worker has died as its call has used up its processor time: because
// it has reported that, or because the last resort has killed it.
func (w *witness) overCPUTime(status subprocess.ExitStatus) bool {
	if w.limits.CPUTime <= 0 {
		return false
	}
	used := status.UserTime + status.SystemTime - w.used
	return status.Code == statusOverCPUTime && status.Signal == nil ||
		status.Signal == syscall.SIGKILL && used > w.limits.CPUTime+max(w.limits.Grace, 0)+killsAfter-20*time.Millisecond
}

func killedBy(status subprocess.ExitStatus) string {
	name := status.Signal.String()
	if sig, ok := status.Signal.(syscall.Signal); ok {
		name = signals.Name(sig)
	}
	if status.CoreDumped {
		name += " (core dumped)"
	}
	return "killed by " + name
}

// statusCrash is the exit status of a Go program that crashes, unless GOTRACEBACK has it end by SIGABRT.
const statusCrash = 2

// crashLine returns the line with which a Go program has begun to crash, "" for none. Any program may write
// such a line: it means something only together with the exit status.
func crashLine(stderr []byte) string {
	for line := range bytes.Lines(stderr) {
		if isCrash(string(line)) {
			return string(line)
		}
	}
	return ""
}

// isOutOfMemory reports whether a program has crashed for want of memory. The runtime has several texts for that, depending on what it needed the memory for.
func isOutOfMemory(crash string) bool {
	for _, text := range []string{
		"out of memory", "cannot allocate", "can't allocate", "failed to allocate", "pthread_create failed",
	} {
		if strings.Contains(crash, text) {
			return true
		}
	}
	return false
}
