// Package signal waits for the operating system's signals with a context. Begin with [NewEvent], to
// wait for the first signal, or [NewQueue], to handle each one; both can be used in a
// [curio.Select]. To end a program on SIGINT or SIGTERM, [curio.StopOnSignals] is enough.
//
//	stop := signal.NewEvent(syscall.SIGINT, syscall.SIGTERM)
//	defer stop.Close()
//	err := stop.Wait(ctx)
//
// This package and package os/signal can be used at the same time; each receives all signals. In a
// synctest bubble there are no signals, and NewQueue, NewEvent and Ignore panic.
//
// # What a signal means
//
// A signal means that something has happened, but not how often. For each signal, the system keeps
// one bit per process, and the Go runtime another, also for real-time signals, whose values are
// lost. Three signals in a row may therefore arrive as one. A signal that is sent after the last
// one was received always arrives.
//
// # Which signals
//
// SIGKILL and SIGSTOP cannot be caught. SIGSEGV, SIGBUS and SIGFPE are errors of the program and
// belong to the Go runtime, and the signals 32 to 34 of Linux to the C library. NewQueue, NewEvent
// and Ignore panic for any of these. A Queue for SIGURG receives many signals, because the Go
// runtime sends them to itself all the time. A Queue for SIGTSTP disables Ctrl-Z, and Go does not
// restore it when the Queue is closed; a program that wants to clean up and then stop sends itself
// SIGSTOP.
//
// If SIGHUP or SIGINT was ignored when the program started, it stays ignored and never arrives. So
// nohup still protects a program from SIGHUP, and a shell a background program from Ctrl-C. The Go
// runtime does not preserve other signals that were ignored.
//
// When the last Queue or Event for a signal is closed, the signal again does what it does in any Go
// program. SIGHUP, SIGINT and SIGTERM end the program; many others, such as SIGUSR1, do nothing.
package signal
