package process

import (
	"syscall"
	"time"

	"github.com/curio-go/curio/subprocess"
)

type limits struct {
	Memory         int64
	CPUTime, Grace time.Duration
}

func checkLimits(memory int64, cpu time.Duration) error { return nil }
func prepareWorker(limits) error                        { return nil }
func (l limits) allow(exceeded func()) (end func())     { return func() {} }
func dieOverCPUTime()                                   {}

type witness struct{}

func (l limits) watch(pid int) *witness { return nil }
func (w *witness) explain(s subprocess.ExitStatus, stderr []byte) string {
	if s.Signal == syscall.SIGKILL {
		return "killed by SIGKILL, perhaps out of memory"
	}
	return s.String()
}
