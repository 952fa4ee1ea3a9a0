// Package debug reports what tasks do while they do it.
//
// [Start] begins a trace. Each task that is spawned, waits, goes on, is cancelled or ends is then
// logged (SchedTrace, TrapTrace), or functions of yours are called (Activation). LogCrash logs the
// errors of tasks, even those that are handled, and LongBlock finds tasks that run for long without
// waiting, with their stacks. A Config can be restricted to tasks by their names.
//
// A program that imports the package can also be traced from outside, with the environment variable CURIO_DEBUG:
//
//	import _ "github.com/curio-go/curio/debug"
//
//	CURIO_DEBUG=schedtrace,longblock=50ms,filter=worker* ./program
//
// These are the words, with commas between them. They set the fields of a Config. An unknown word is
// logged, and does not end the program:
//
//	schedtrace     SchedTrace
//	traptrace      TrapTrace
//	logcrash       LogCrash
//	longblock      LongBlock, 50 ms
//	longblock=1s   LongBlock
//	filter=name    Tasks; several of them add up
//	level=warn     Level
//
// [SetLabels] and [SetTrace] show the names of tasks in Go's own tools: in profiles, and in
// execution traces of package runtime/trace. [Stack] finds the stack of one task by its label.
//
// # How it works
//
// Tasks write into a ring in memory, and a goroutine of this package reads it a few milliseconds
// later. No task ever calls a log handler or a function of yours, or waits for one, so these may be
// slow, hang or panic without changing what the program does. Events that are overwritten before
// they are read are lost, and the trace reports how many. While a trace is on, the ring has room for
// 65,536 events.
//
// When a kernel shuts down, as at the end of curio.Run, and before curio.Exit ends the program,
// everything that has happened by then is reported first.
//
// Even without a trace, the last 4,096 events are kept: which tasks began and ended, and what was
// cancelled. This costs about a hundred nanoseconds for each task, and nothing for a wait.
// [SetRecording] changes what is kept.
package debug
