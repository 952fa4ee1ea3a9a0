package process

import (
	"time"

	"github.com/curio-go/curio/subprocess"
)

type limits struct {
	Memory  int64
	CPUTime time.Duration
}

func (cfg *Config) limits() limits { return limits{cfg.Memory, cfg.CPUTime} }

func checkLimits(memory int64, cpu time.Duration) error { return nil }
func prepareWorker(limits) error                        { return nil }
func startCall() func()                                 { return func() {} }
func explainDeath(s subprocess.ExitStatus, stderr []byte, l limits) string {
	return s.String()
}
