// Package subprocess runs programs with a context: every wait for a program can be cancelled and
// can time out, and occupies no thread. Begin with [Run], which runs a program to its end and
// captures its output.
//
//	done, err := subprocess.Run(ctx, subprocess.Command("ls", "-l"))
//
// A [Cmd] describes what to run, much as exec.Cmd does, but running it does not modify it.
// [CheckOutput] returns only the standard output, [Lines] yields that line by line, [RunPipeline]
// connects several programs, and [Popen] starts a program and returns a [Process].
//
// When Run, CheckOutput, Lines or RunPipeline is cancelled, it ends the program and the processes
// that the program has started: first with Cmd.StopSignal, and after a grace time with SIGKILL.
//
// # Zombies and descendants
//
// The exit status of each program is collected as soon as it has ended, even if no task waits for
// it, so there are no zombies. It is collected by the program's pidfd or process ID, never with a
// wait for any child, so the children of other packages are not affected. A process that has ended
// never gets a signal, and neither does another process that gets its ID.
//
// Ending a program ends the processes that it has started, as far as they are contained: in the
// program's process group ([ProcessGroup]), or in a cgroup (Cmd.Cgroup), which no process can
// leave. [Process.Containment] tells which. Processes that a program leaves behind when it ends by
// itself go on running, unless Stop is called then. If this process ends by curio.Exit or by the
// third signal of curio.StopOnSignals, it kills the groups of all running programs.
//
// The descendants of a program are collected by their parent or, if that has ended, by process 1.
// If this process is process 1, as in a container, run it under an init (docker run --init):
// otherwise zombies remain.
//
// Programs run in real time: in a testing/synctest bubble, no grace time passes while a program
// runs. On systems without pidfds, which are all except Linux, a start in such a bubble fails with
// an error that wraps errors.ErrUnsupported.
package subprocess
