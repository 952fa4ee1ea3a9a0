// Package signal waits for the signals of the operating system as for anything else: with a
// context, in a [Queue] or with an [Event], several at a time with curio.Select.
//
//	stop := signal.NewEvent(syscall.SIGINT, syscall.SIGTERM)
//	defer stop.Close()
//	err := stop.Wait(ctx)
//
// It stands beside package os/signal: both may be used at the same time, and neither takes
// anything from the other. In a synctest bubble there are no signals, and NewQueue, NewEvent and
// Ignore panic.
//
// # What a signal tells
//
// A signal says that something has happened, and not how often. For each signal of a process the system
// keeps one bit, and the Go runtime another one, also for real-time signals, whose values are lost. So
// three in a row may arrive as one. But a signal that is sent after the last one was taken will arrive.
//
// # Which signals
//
// SIGKILL and SIGSTOP cannot be caught. SIGSEGV, SIGBUS and SIGFPE are errors of the program and
// belong to the Go runtime, and the signals 32 to 34 of Linux to the C library. Asking for any of
// these panics. A Queue for SIGURG is noisy, because the Go runtime sends that signal to itself all the
// time. A Queue for SIGTSTP takes Ctrl-Z away from the user, and Go does not give it back when the Queue is
// closed; a program that has tidied up stops itself by sending itself SIGSTOP.
//
// SIGHUP or SIGINT that was ignored when the program was started stays ignored, and never arrives. So
// nohup protects a program from SIGHUP, and a shell protects a program in the background from Ctrl-C. The Go
// runtime takes no notice of other signals that were ignored.
//
// When the last Queue or Event for a signal is closed, the signal does again what it does in any Go
// program. SIGHUP, SIGINT and SIGTERM end it; many others, such as SIGUSR1, do nothing.
package signal
