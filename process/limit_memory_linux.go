package process

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"syscall"

	system "github.com/curio-go/curio/internal/process"
)

const limitsMemory = true

// limitMemory limits what this process may use to so many bytes. RLIMIT_DATA counts all memory that the
// process may write to and that belongs to it alone, also what it has given back and would get again. RLIMIT_AS
// would count what the Go runtime merely reserves, which is more than a gigabyte.
//
// The garbage collector gets a limit of its own, a little below. It counts only what the runtime uses, so what else
// there is, such as the runtime's tables, is taken off: as much as it is now.
func limitMemory(most int64) error {
	used, err := dataSize()
	if err != nil {
		return fmt.Errorf("memory limit: %w", err)
	}
	others := max(used-runtimeSize(), 0)
	margin := max(most/16, 4<<20)
	heap := most - others - margin
	const least = 8 << 20
	if heap < least {
		return fmt.Errorf("memory limit: the program takes %s before the first call, so %s is too little", size(used), size(most))
	}
	if heap < debug.SetMemoryLimit(-1) {
		debug.SetMemoryLimit(heap)
	}
	soft, hard, err := system.OwnLimit(syscall.RLIMIT_DATA)
	if err == nil {
		soft, hard = min(soft, uint64(most)), min(hard, uint64(most))
		err = system.SetOwnLimit(syscall.RLIMIT_DATA, soft, hard)
	}
	if err != nil {
		return fmt.Errorf("memory limit: RLIMIT_DATA: %w", err)
	}
	return nil
}

// dataSize returns what RLIMIT_DATA counts.
func dataSize() (int64, error) {
	const path, key = "/proc/self/status", "VmData:"
	status, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(status) {
		rest, found := bytes.CutPrefix(line, []byte(key))
		if !found {
			continue
		}
		number, _, _ := bytes.Cut(bytes.TrimSpace(rest), []byte(" "))
		kib, err := strconv.ParseInt(string(number), 10, 64)
		return kib << 10, err
	}
	return 0, fmt.Errorf("there is no %s in %s", key, path)
}

// runtimeSize returns what the garbage collector's limit counts.
func runtimeSize() int64 {
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(samples)
	return int64(samples[0].Value.Uint64() - samples[1].Value.Uint64())
}

// preferForOOM makes this process one that the system ends before most others when it is short of memory. If it cannot
// be done, the system decides as it would have.
func preferForOOM() {
	const path, wanted = "/proc/self/oom_score_adj", 500
	text, err := os.ReadFile(path)
	if err != nil {
		return
	}
	if now, err := strconv.Atoi(string(bytes.TrimSpace(text))); err == nil && now < wanted {
		_ = os.WriteFile(path, []byte(strconv.Itoa(wanted)), 0)
	}
}

// showName gives the threads of this process the name of the program. The system has named them after the
// file that was executed, which is /proc/self/exe.
func showName() {
	if len(os.Args) == 0 {
		return
	}
	name := filepath.Base(os.Args[0])
	threads, _ := filepath.Glob("/proc/self/task/*/comm")
	for _, path := range threads {
		_ = os.WriteFile(path, []byte(name), 0) // the system takes 15 bytes of it; a thread may have ended
	}
}
