package process

import (
	"errors"
	"runtime"
	"strings"
	"syscall"
	"unsafe"
)

// This file is about a child that stops at exec(2), before the program's first instruction, so that
// something can be done to it: a child that was started with SysProcAttr.Ptrace. All calls about it come
// from the thread that started it.
//
// A signal that arrived before exec would stop it as well, and then the start would wait for ever. So the
// thread holds back all signals while it forks, the child inherits that, and ReleaseAtExec gives it
// the thread's own mask. What has arrived meanwhile is delivered then. SIGSTOP cannot be held back.

// A Mask is a set of signals. Its size is sigset_t's in the kernel.
type Mask [2]uint64

// maskSize is how much of it the kernel has.
var maskSize = func() uintptr {
	if strings.HasPrefix(runtime.GOARCH, "mips") {
		return 16
	}
	return 8
}()

// set sets or clears the bit of a signal. The kernel's words are as long as a pointer.
func (m *Mask) set(sig syscall.Signal, held bool) {
	n := uintptr(sig) - 1
	const bits = 8 * unsafe.Sizeof(uintptr(0))
	word := (*uintptr)(unsafe.Add(unsafe.Pointer(m), n/bits*(bits/8)))
	if held {
		*word |= 1 << (n % bits)
	} else {
		*word &^= 1 << (n % bits)
	}
}

const setMask = 2 // SIG_SETMASK

// setMaskNumber is SIG_SETMASK, which mips has elsewhere.
func setMaskNumber() uintptr {
	if strings.HasPrefix(runtime.GOARCH, "mips") {
		return 3
	}
	return setMask
}

// HoldSignals holds back the thread's signals and returns what was held back before. Left out are SIGTRAP,
// by which exec stops, and those that a thread raises itself.
func HoldSignals() (before Mask) {
	var all Mask
	for sig := syscall.Signal(1); uintptr(sig) <= 8*maskSize; sig++ {
		all.set(sig, true)
	}
	for _, sig := range []syscall.Signal{
		syscall.SIGTRAP, syscall.SIGSEGV, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGILL, syscall.SIGSYS,
	} {
		all.set(sig, false)
	}
	procmask(&all, &before)
	return before
}

// RestoreSignals undoes HoldSignals.
func RestoreSignals(m Mask) { procmask(&m, nil) }

func procmask(set, old *Mask) {
	syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, setMaskNumber(), uintptr(unsafe.Pointer(set)),
		uintptr(unsafe.Pointer(old)), maskSize, 0, 0)
}

const ptraceSetSigmask = 0x420b // PTRACE_SETSIGMASK

func ptrace(request, pid int, addr, data uintptr) error {
	_, _, errno := syscall.Syscall6(syscall.SYS_PTRACE, uintptr(request), uintptr(pid), addr, data, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// ErrGone is the error if the child has ended meanwhile.
var ErrGone = errors.New("it was ended before its first instruction")

// AwaitExec waits until the child has stopped at exec, and returns a signal that it is owed, 0 for none.
// It waits for as long as exec takes, for which the start has waited already.
func AwaitExec(pid int) (owed syscall.Signal, err error) {
	for {
		var info siginfo
		err := (Handle{Pid: pid, FD: -1}).waitid(&info, wStopped|wExited|wNoWait, nil)
		if err == syscall.ECHILD { // it has ended, and SIGCHLD is ignored
			return 0, ErrGone
		}
		if err != nil {
			return 0, err
		}
		switch {
		case hasEnded(info.code()):
			return 0, ErrGone
		case syscall.Signal(info.status()) == syscall.SIGTRAP:
			return owed, nil
		}
		owed = syscall.Signal(info.status())
		if err := syscall.PtraceCont(pid, 0); err != nil {
			return 0, err
		}
	}
}

// ReleaseAtExec lets the child go: with the given mask, and untraced. It gets the signal that it is owed.
func ReleaseAtExec(pid int, m Mask, owed syscall.Signal) error {
	if err := ptrace(ptraceSetSigmask, pid, maskSize, uintptr(unsafe.Pointer(&m))); err != nil {
		return err
	}
	return ptrace(syscall.PTRACE_DETACH, pid, 0, uintptr(owed))
}

// SetLimit sets a resource limit of another process.
func SetLimit(pid, resource int, soft, hard uint64) error {
	limit := [2]uint64{soft, hard}
	_, _, errno := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(pid), uintptr(resource),
		uintptr(unsafe.Pointer(&limit)), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
