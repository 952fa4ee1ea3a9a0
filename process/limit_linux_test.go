package process_test

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/process"
	"github.com/curio-go/curio/subprocess"
)

func needMemoryLimit(t *testing.T) {
	t.Helper()
	if testutil.Race {
		t.Skip("the race detector takes more memory than any limit here")
	}
}

// A function that eats memory until its limit dies of that, with an error that names it, and only its
// call fails (traps 65).
func TestMemoryLimitIsOfWhatIsUsed(t *testing.T) {
	needMemoryLimit(t)
	withPool(t, process.Config{Memory: 96 * mib}, func(ctx context.Context, in process.Option) error {
		n, err := process.Run(ctx, eats, 16, in)
		if n != 16 || err != nil {
			t.Errorf("of 16 MiB it has got %d, %v", n, err)
		}
		got := 0
		_, err = process.Run(ctx, eats, 1000, in, process.Progress(func(n int) { got = n }))
		died := wantDeath(t, err, "memory limit of 96 MiB")
		if died.Status.Code != 2 || died.Status.Signal != nil {
			t.Errorf("it has ended with %v", died.Status)
		}
		if got < 80 || got > 96+160 {
			t.Errorf("it has got %d MiB", got)
		}
		n, err = process.Run(ctx, eats, 1, in)
		if n != 1 || err != nil {
			t.Errorf("the next worker has %d MiB, %v", n, err)
		}
		return nil
	})
}

// What the garbage collector can free does not count, however much it is; the least limit is one that works.
func TestMemoryLimitIsNotOfGarbage(t *testing.T) {
	needMemoryLimit(t)
	withPool(t, process.Config{Memory: 64 * mib}, func(ctx context.Context, in process.Option) error {
		n, err := process.Run(ctx, litters, 500, in)
		if n != 500 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		return nil
	})
}

// A worker that could not do anything within its limit says so, and does not serve.
func TestMemoryLimitIsTooLow(t *testing.T) {
	cfg := process.Config{Memory: 64 * mib, Env: []string{ballastVariable + "=1"}}
	withPool(t, cfg, func(ctx context.Context, in process.Option) error {
		_, err := process.Run(ctx, double, 1, in)
		wantText(t, err, "before the first call", "64 MiB is too little")
		return nil
	})
}

const ballastVariable = "CURIO_TEST_BALLAST"

// ballast is what a program may have before it reaches main.
var ballast = func() (b []byte) {
	if os.Getenv(ballastVariable) != "" {
		b = make([]byte, 60*mib)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
	}
	return b
}()

// The last resort: a function that keeps the signal from being handled is killed, and the error names the limit.
func TestCPUTimeLastResort(t *testing.T) {
	const after = 60 * time.Millisecond
	before := process.SetKillsAfter(after)
	defer process.SetKillsAfter(before)
	withPool(t, process.Config{CPUTime: 20 * time.Millisecond, Grace: time.Millisecond}, func(ctx context.Context, in process.Option) error {
		_, err := process.Run(ctx, deafToCPUTime, after, in)
		check(t, err)
		_, err = process.Run(ctx, uses, time.Hour, in)
		died := wantDeath(t, err, "CPU time limit")
		if died.Status.Signal != syscall.SIGKILL {
			t.Errorf("it has ended with %v", died.Status)
		}
		return nil
	})
}

// deafToCPUTime makes the next call die of the last resort.
var deafToCPUTime = process.Register("deafToCPUTime", func(_ context.Context, after time.Duration) (struct{}, error) {
	process.SetKillsAfter(after)
	signal.Ignore(syscall.SIGXCPU)
	return struct{}{}, nil
})

// A surrounding is what a function finds in its worker.
type surrounding struct {
	Comm     []string // of each thread
	OOMScore int
	Marked   map[int]bool // descriptors above 2, and whether they are closed on exec
	Heirs    string       // what a program that the worker starts has open
	Data     uint64       // RLIMIT_DATA
	Ballast  int
}

var looksAround = process.Register("looksAround", func(ctx context.Context, _ struct{}) (s surrounding, err error) {
	threads, _ := filepath.Glob("/proc/self/task/*/comm")
	for _, path := range threads {
		name, _ := os.ReadFile(path)
		s.Comm = append(s.Comm, strings.TrimSpace(string(name)))
	}
	score, err := os.ReadFile("/proc/self/oom_score_adj")
	if err != nil {
		return s, err
	}
	s.OOMScore, _ = strconv.Atoi(strings.TrimSpace(string(score)))
	s.Marked = make(map[int]bool)
	entries, err := os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		fd, _ := strconv.Atoi(e.Name())
		flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD, 0)
		if fd > 2 && errno == 0 {
			s.Marked[fd] = flags&syscall.FD_CLOEXEC != 0
		}
	}
	heirs, err2 := subprocess.CheckOutput(ctx, subprocess.Command("/bin/ls", "/proc/self/fd"))
	s.Heirs = strings.Join(strings.Fields(string(heirs)), " ")
	var l syscall.Rlimit
	err3 := syscall.Getrlimit(syscall.RLIMIT_DATA, &l)
	s.Data = l.Cur
	s.Ballast = len(ballast)
	return s, firstOf(err, err2, err3)
})

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Before the first call a worker has a name for ps, is the first to be ended if memory is short, has its limits, and
// lets nothing be inherited that it has inherited itself (traps 59, 63, 67, 68).
func TestSurrounding(t *testing.T) {
	// A descriptor as cgo code opens it.
	inherited, err := syscall.Open("/dev/zero", syscall.O_RDONLY, 0)
	check(t, err)
	defer syscall.Close(inherited)
	ours, err := os.ReadFile("/proc/self/oom_score_adj")
	check(t, err)
	cfg := process.Config{Memory: 256 * mib}
	if testutil.Race {
		cfg.Memory = 0
	}
	withPool(t, cfg, func(ctx context.Context, in process.Option) error {
		s, err := process.Run(ctx, looksAround, struct{}{}, in)
		check(t, err)
		name := filepath.Base(os.Args[0])
		for _, comm := range s.Comm {
			if comm != name[:min(len(name), 15)] {
				t.Errorf("a thread is %q, want %q", comm, name)
			}
		}
		if s.OOMScore < 500 {
			t.Errorf("oom_score_adj is %d", s.OOMScore)
		}
		if _, there := s.Marked[inherited]; !there {
			t.Errorf("the worker has not inherited %d, so this tests nothing: %v", inherited, s.Marked)
		}
		for fd, marked := range s.Marked {
			if !marked {
				t.Errorf("descriptor %d would be inherited", fd)
			}
		}
		if s.Heirs != "0 1 2 3" { // the last is how ls reads the directory
			t.Errorf("a program of the worker's has descriptors %s", s.Heirs)
		}
		if least := uint64(cfg.Memory); cfg.Memory > 0 && (s.Data < least || s.Data > least+512*mib) {
			t.Errorf("RLIMIT_DATA is %d", s.Data)
		}
		return nil
	})
	if now, _ := os.ReadFile("/proc/self/oom_score_adj"); string(now) != string(ours) {
		t.Errorf("our own oom_score_adj was %s and is %s", ours, now)
	}
}
