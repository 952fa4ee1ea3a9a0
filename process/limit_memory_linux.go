package process

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"syscall"

	system "github.com/curio-go/curio/internal/process"
)

const limitsMemory = true

// limitMemory limits the memory that this process may use to most bytes, by RLIMIT_DATA. That counts all
// memory that the process may write to and that belongs to it alone. RLIMIT_AS would count what the Go
// runtime merely reserves, more than a gigabyte, as well.
//
// But RLIMIT_DATA also counts what has never been touched: 32 MiB of tables of the runtime's, and in a
// program with cgo 8 MiB for the stack of each thread, of which a few KiB are used. So what is reserved in
// this way now does not count, nor do the stacks of some threads that are still to come: without them a
// program would die of starting a thread.
//
// The garbage collector gets a limit a little below most.
func limitMemory(most int64) error {
	now, err := readUsage("/proc/self/status")
	if err != nil {
		return fmt.Errorf("memory limit: %w", err)
	}
	heap := most - max(most/16, 4<<20)
	const least = 8 << 20 // for the first call
	if now.used+least > heap {
		return fmt.Errorf("memory limit: the program has used %s before the first call, so %s is too little", size(now.used), size(most))
	}
	if heap < debug.SetMemoryLimit(-1) {
		debug.SetMemoryLimit(heap)
	}
	all := uint64(most + now.reserved + threadsToCome*threadStack())
	soft, hard, err := system.OwnLimit(syscall.RLIMIT_DATA)
	if err == nil {
		err = system.SetOwnLimit(syscall.RLIMIT_DATA, min(soft, all), min(hard, all))
	}
	if err != nil {
		return fmt.Errorf("memory limit: RLIMIT_DATA: %w", err)
	}
	return nil
}

// threadsToCome is how many more threads a worker may have without their stacks being counted.
const threadsToCome = 16

// A usage is of the memory that RLIMIT_DATA counts.
type usage struct{ used, reserved int64 }

// readUsage reads /proc/self/status.
func readUsage(path string) (u usage, err error) {
	status, err := os.ReadFile(path)
	if err != nil {
		return u, err
	}
	data, ok1 := kibibytes(status, "VmData:")
	used, ok2 := kibibytes(status, "RssAnon:")
	if !ok1 || !ok2 {
		return u, fmt.Errorf("%s does not tell VmData and RssAnon", path)
	}
	return usage{used: used, reserved: max(data-used, 0)}, nil
}

// kibibytes finds a line such as "VmData:	    1234 kB".
func kibibytes(status []byte, key string) (n int64, ok bool) {
	for line := range bytes.Lines(status) {
		if rest, found := bytes.CutPrefix(line, []byte(key)); found {
			number, _, _ := bytes.Cut(bytes.TrimSpace(rest), []byte(" "))
			n, err := strconv.ParseInt(string(number), 10, 64)
			return n << 10, err == nil
		}
	}
	return 0, false
}

// threadStack returns how much memory the C library reserves for the stack of a thread, 0 in a program that
// has none. It is the limit for the stack of the first thread, and there is a piece of memory of just that
// size.
func threadStack() int64 {
	soft, _, err := system.OwnLimit(syscall.RLIMIT_STACK)
	maps, _ := os.ReadFile("/proc/self/maps")
	if err != nil {
		return 0
	}
	if soft == system.Unlimited {
		soft = 2 << 20
	}
	for line := range bytes.Lines(maps) {
		var from, to uint64
		var mode string
		if n, _ := fmt.Sscanf(string(line), "%x-%x %s", &from, &to, &mode); n == 3 && to-from == soft && mode == "rw-p" {
			return int64(soft)
		}
	}
	return 0
}

// preferForOOM makes this process one that the system ends before most others when it is short of memory.
// If it cannot be done, the system decides as it would have.
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
