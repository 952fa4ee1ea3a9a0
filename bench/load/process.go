//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// usage is what processes have used so far, times in seconds.
type usage struct {
	cpu          float64
	user, system float64
	rss          int // KiB at this moment
}

func (u *usage) add(other usage) {
	u.cpu += other.cpu
	u.user += other.user
	u.system += other.system
	u.rss += other.rss
}

func (u usage) minus(other usage) usage {
	return usage{cpu: u.cpu - other.cpu, user: u.user - other.user, system: u.system - other.system, rss: u.rss}
}

// ticksPerSecond is what /proc counts in: USER_HZ, 100 wherever Go runs.
const ticksPerSecond = 100

// process returns what a process has used; nothing, if it has ended.
func process(pid int) usage {
	u := usage{cpu: clockSeconds(processClock(pid))}
	// The name, in parentheses, may hold anything, blanks and ) too. After it
	// come the state and, as the 12th and 13th field, the two times.
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:]); len(fields) > 12 {
		u.user, u.system = ticks(fields[11]), ticks(fields[12])
	}
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if _, rest, found := bytes.Cut(status, []byte("\nVmRSS:")); found {
		if fields := bytes.Fields(rest); len(fields) > 0 {
			u.rss, _ = strconv.Atoi(string(fields[0]))
		}
	}
	return u
}

// processClock names the clock of the CPU time of a process: of all its
// threads, those that ended too, in nanoseconds where /proc has ticks. This is
// clock_getcpuclockid(3), which is arithmetic: 2 is the scheduler's clock.
func processClock(pid int) int32 { return int32(^pid)<<3 | 2 }

func clockSeconds(id int32) float64 {
	var t unix.Timespec
	if unix.ClockGettime(id, &t) != nil {
		return 0
	}
	return seconds(t.Nano())
}

// machineSeconds returns the CPU time that all processes have used, and
// interrupts, but not what a hypervisor gave to others.
func machineSeconds() float64 {
	stat, _ := os.ReadFile("/proc/stat")
	line, _, _ := bytes.Cut(stat, []byte("\n"))
	fields := bytes.Fields(line)
	if len(fields) < 8 {
		return 0
	}
	// cpu user nice system idle iowait irq softirq
	return ticks(fields[1]) + ticks(fields[2]) + ticks(fields[3]) + ticks(fields[6]) + ticks(fields[7])
}

func ticks(field []byte) float64 {
	n, _ := strconv.ParseUint(string(field), 10, 64)
	return float64(n) / ticksPerSecond
}
