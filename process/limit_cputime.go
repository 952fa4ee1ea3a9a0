package process

import (
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	system "github.com/curio-go/curio/internal/process"
	"github.com/curio-go/curio/internal/signals"
)

// A meter sees to it that a call uses no more processor time than it may. The system sends SIGXCPU when the
// process has used that much, and again after each tenth of a second more, as a single one could be lost.
// Whether the call has used up its time is decided here, by what the process has used since it began: a
// signal may have been under way when an earlier call ended.
//
// On Linux the signals come from a timer that counts processor time. Should the function keep this process
// from handling the signal, another timer ends it with SIGKILL: that takes the place of a hard limit, which
// once lowered cannot be raised for the next call. Elsewhere it is the soft RLIMIT_CPU, which is moved for
// each call. It counts whole seconds, and so is rounded up.
type meter struct {
	mu       sync.Mutex
	warns    *system.CPUTimer // nil: by RLIMIT_CPU
	kills    *system.CPUTimer
	exceeded func()        // nil: no call runs, or it has been called
	most     time.Duration // what the process may have used before exceeded is called
}

var theMeter meter

// warnsAgain is how much processor time there is between a signal and the next.
const warnsAgain = 100 * time.Millisecond

// killsAfter is how much processor time a process has for ending, in addition to the grace time, before it
// is killed.
var killsAfter = 2 * time.Second

// begin prepares the process. It is called once.
func (m *meter) begin() error {
	if warns, err := system.NewCPUTimer(syscall.SIGXCPU); err == nil {
		if kills, err := system.NewCPUTimer(syscall.SIGKILL); err == nil {
			m.warns, m.kills = warns, kills
		}
	}
	if m.warns == nil {
		if _, _, err := system.OwnLimit(syscall.RLIMIT_CPU); err != nil {
			return fmt.Errorf("limit of processor time: %w", err)
		}
	}
	signals.Subscribe(m, syscall.SIGXCPU)
	if err := m.set(0, limits{CPUTime: time.Hour}); err != nil {
		return fmt.Errorf("limit of processor time: %w", err)
	}
	m.exceeded = func() {}
	m.end()
	return nil
}

// allow gives the call that begins its share of processor time. If it uses that up, exceeded is called:
// once, and not after end has returned. It must return at once and must not call end.
func (l limits) allow(exceeded func()) (end func()) {
	if l.CPUTime <= 0 {
		return func() {}
	}
	theMeter.allow(l, exceeded)
	return theMeter.end
}

func (m *meter) allow(l limits, exceeded func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	used, err := system.ProcessorTime()
	if err == nil {
		err = m.set(used, l)
	}
	if err != nil { // it has worked before, and a call without its limit is none that was asked for
		exceeded()
		return
	}
	m.exceeded = exceeded
	// The timers and getrusage(2) do not count exactly alike.
	m.most = used + l.CPUTime - min(l.CPUTime/10, 10*time.Millisecond)
}

func (m *meter) set(used time.Duration, l limits) error {
	if m.warns == nil {
		return moveSoftLimit(used + l.CPUTime)
	}
	if err := m.kills.Set(l.CPUTime+max(l.Grace, 0)+killsAfter, warnsAgain); err != nil {
		return err
	}
	return m.warns.Set(l.CPUTime, warnsAgain)
}

// moveSoftLimit has SIGXCPU sent when the process has used that much processor time, and after each second
// more.
func moveSoftLimit(used time.Duration) error {
	_, hard, err := system.OwnLimit(syscall.RLIMIT_CPU)
	if err != nil {
		return err
	}
	seconds := uint64((used + time.Second - 1) / time.Second)
	return system.SetOwnLimit(syscall.RLIMIT_CPU, min(seconds, hard), hard)
}

func (m *meter) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.exceeded == nil {
		return // this process is about to end, and if it does not it is killed
	}
	m.exceeded = nil
	if m.warns == nil {
		if _, hard, err := system.OwnLimit(syscall.RLIMIT_CPU); err == nil {
			_ = system.SetOwnLimit(syscall.RLIMIT_CPU, hard, hard)
		}
		return
	}
	_ = m.warns.Set(0, 0)
	_ = m.kills.Set(0, 0)
}

// Deliver is called for SIGXCPU.
func (m *meter) Deliver(signals.Signal) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.exceeded == nil {
		return
	}
	if used, err := system.ProcessorTime(); err == nil && used < m.most {
		return
	}
	exceeded := m.exceeded
	m.exceeded = nil
	exceeded()
}

// statusOverCPUTime is the exit status of a worker whose call has used up its processor time. It is what a
// shell shows for a program that dies of SIGXCPU. The Go runtime does not die of that.
const statusOverCPUTime = 128 + int(syscall.SIGXCPU)

// dieOverCPUTime ends this process so that its parent knows why.
func dieOverCPUTime() { os.Exit(statusOverCPUTime) }
