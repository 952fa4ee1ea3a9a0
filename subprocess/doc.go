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
package subprocess
