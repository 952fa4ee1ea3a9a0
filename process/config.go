package process

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"time"
)

// A Config holds the settings of a [Pool]. The zero value is the default.
type Config struct {
	// Workers is the maximum number of workers, which are started when they are needed. 0 means the
	// number of processors that this process may use (GOMAXPROCS, which respects a container's
	// limit).
	Workers int

	// Processors is how many processors each worker uses (its GOMAXPROCS), at most 65536. 0 means
	// 1.
	Processors int

	// CallsPerWorker is how many calls a worker serves before a new worker replaces it, for
	// functions that leak memory. 0 means that workers are not replaced.
	CallsPerWorker int

	// Memory is how many bytes of memory a worker may use, at least 64 MiB. The garbage collector
	// keeps the use a little below it. If a function needs more, its worker dies, and its call
	// fails with a *WorkerError whose Reason is the memory limit. Memory that the runtime has
	// reserved and not used does not count, and a program with cgo may use up to 128 MiB more. 0
	// means no limit. The system call is setrlimit(2) with RLIMIT_DATA. On systems without such a
	// limit, such as macOS, the error wraps errors.ErrUnsupported.
	Memory int64

	// CPUTime is how much processor time a call may use. When a call exceeds it, its worker is
	// ended as for a cancelled call, and the call fails with a *WorkerError that names the limit,
	// even if its result would have come before the worker's end. 0 means no limit. The system call
	// is timer_create(2) on Linux, and elsewhere setrlimit(2) with RLIMIT_CPU, which counts whole
	// seconds.
	CPUTime time.Duration

	// Grace is the time between SIGTERM and killing a worker. During that time the worker still
	// counts as one of Workers. 0 means 250 ms; if it is negative, the worker is killed at once.
	Grace time.Duration

	// StartTimeout is how long a worker may take from its start to Main. 0 means 30 seconds.
	StartTimeout time.Duration

	// Env holds entries of the form "key=value" that workers get in addition to the environment of
	// this process. If a key occurs several times, the last entry counts.
	Env []string

	// Output, if not nil, is called with each line that a worker writes to its standard output or
	// standard error. The calls are made one at a time for the whole pool, in a separate goroutine.
	// While Output runs, workers can write only as much as fits into a pipe, and then wait. If it
	// is nil, the lines go to the standard output or the standard error of this process, after the
	// worker's name, as in "worker 4711: ready".
	Output func(Line)
}

// A Line is a line of a worker's output.
type Line struct {
	Pid    int    // the worker's process ID
	Stderr bool   // the line was written to standard error, not to standard output
	Text   string // without the "\n"; a line of more than 64 KiB comes in pieces of that size
}

// The defaults of Config.
const (
	defaultGrace        = 250 * time.Millisecond
	defaultStartTimeout = 30 * time.Second
)

// maxProcessors is far more than a machine has. The Go runtime has memory for each.
const maxProcessors = 1 << 16

// settle returns cfg with its defaults filled in, or an error that says what is wrong with it.
func (cfg Config) settle() (Config, error) {
	for _, number := range []struct {
		field string
		value int64
	}{
		{"Workers", int64(cfg.Workers)},
		{"Processors", int64(cfg.Processors)},
		{"CallsPerWorker", int64(cfg.CallsPerWorker)},
		{"Memory", cfg.Memory},
		{"CPUTime", int64(cfg.CPUTime)},
		{"StartTimeout", int64(cfg.StartTimeout)},
	} {
		if number.value < 0 {
			return cfg, fmt.Errorf("process: Config.%s is negative; leave it 0 for the default", number.field)
		}
	}
	if cfg.Processors > maxProcessors {
		return cfg, fmt.Errorf("process: Config.Processors is %d; it is at most %d", cfg.Processors, maxProcessors)
	}
	for _, entry := range cfg.Env {
		if key, _, ok := strings.Cut(entry, "="); !ok || key == "" || strings.Contains(entry, "\x00") {
			return cfg, fmt.Errorf("process: Config.Env has the entry %q, which is not of the form key=value", entry)
		}
	}
	cfg.Env = slices.Clone(cfg.Env)
	if cfg.Workers == 0 {
		cfg.Workers = runtime.GOMAXPROCS(0)
	}
	if cfg.Processors == 0 {
		cfg.Processors = 1
	}
	if cfg.CallsPerWorker == 0 {
		cfg.CallsPerWorker = math.MaxInt
	}
	if cfg.Grace == 0 {
		cfg.Grace = defaultGrace
	}
	if cfg.StartTimeout == 0 {
		cfg.StartTimeout = defaultStartTimeout
	}
	return cfg, checkLimits(cfg.Memory, cfg.CPUTime)
}

// limits returns the limits of a worker.
func (cfg *Config) limits() limits {
	return limits{Memory: cfg.Memory, CPUTime: min(cfg.CPUTime, noLimit), Grace: min(cfg.Grace, noLimit)}
}
