// Package subprocess runs programs, and waits for them as for everything else: every wait can be
// cancelled and timed out, and costs no thread.
//
// A [Cmd] says what to run, much as an exec.Cmd does, and is not changed by being run. [Run] runs it to
// its end and captures its output, [CheckOutput] returns only its standard output, [Lines] yields that
// line by line, [RunPipeline] connects several programs, and [Popen] starts one and leaves the rest to
// the caller.
//
// When Run, CheckOutput, Lines or RunPipeline is cancelled, it ends the program and all that the
// program has started: first politely (Cmd.StopSignal), and after a grace time by SIGKILL.
//
// # What is left of a program
//
// The exit status of each program is collected as soon as it has ended, whatever becomes of those who
// wait for it, so there are no zombies. It is collected by the program's pidfd or number, and never by a
// wait for any child, so nobody else's are taken. A process that has ended never gets a signal, and
// neither does another one that has its number by then.
//
// Ending a program ends what it has started, as far as that is contained: in the program's process group
// ([ProcessGroup]), or in a cgroup (Cmd.Cgroup), which nothing can leave. [Process.Containment] says which.
// What a program leaves behind when it ends by itself is left alone, unless somebody stops it then. If this
// process dies by curio.Exit or by the third signal of curio.StopOnSignals, the groups of all programs
// that run are killed.
//
// What a program has started is for its parent to collect, or, when that has ended, for process 1. A
// program of ours that is process 1, as in a container, needs an init before it for that (docker run
// --init): otherwise zombies stay.
//
// Programs run in real time: in a testing/synctest bubble, no grace time ever passes while one runs.
// On systems without pidfds, which are all but Linux, a start in such a bubble fails with
// errors.ErrUnsupported.
package subprocess
