// Jobrunner reads shell commands, one in each line, runs a few of them at a time, each with limits for its
// time, processor time, memory and files, and prints how each has ended and all that it has said, in the
// order of the lines.
//
//	printf 'sleep 1; echo one\necho two; exit 2\n' | go run ./examples/jobrunner
//	go run ./examples/jobrunner [-jobs 8] [-within 1m] [-memory 1024] [-cpu 60] FILE
//
// At Ctrl-C or SIGTERM, or when the terminal is closed, it begins no more jobs, and those that run have
// -grace to end. A second Ctrl-C, or the end of that time, ends them, with all that they have started, within
// three seconds more; Docker kills after ten. When nobody reads its output any more, it ends them at once.
// What a job leaves behind in the background when it ends by itself goes on. The exit status is 1 if a job
// has failed. It runs on Linux: elsewhere the limits are refused.
package main

import (
	"context"
	"flag"
	"os"
	"runtime"
	"syscall"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/signal"
	"github.com/curio-go/curio/stream"
)

func main() {
	var s settings
	flag.IntVar(&s.atOnce, "jobs", runtime.NumCPU(), "how many jobs run at a time")
	flag.DurationVar(&s.within, "within", time.Minute, "how long a job may take")
	flag.Uint64Var(&s.cpu, "cpu", 60, "seconds of processor time that each process of a job may use")
	flag.Uint64Var(&s.memory, "memory", 1024, "MiB of memory that each process of a job may use")
	flag.Uint64Var(&s.file, "file", 100, "MiB that a file may have that a job writes")
	flag.Int64Var(&s.output, "output", 1<<20, "bytes of a job's output that are kept, the beginning and the end")
	grace := flag.Duration("grace", 6*time.Second, "how long jobs may go on when no more are begun")
	flag.Parse()
	if s.atOnce <= 0 || s.within <= 0 || s.output <= 0 || flag.NArg() > 1 {
		flag.Usage()
		os.Exit(2)
	}
	// The jobs have groups of their own. So what ends this process has to end them first: a terminal that is
	// closed, by SIGHUP, and a pipe that nobody reads, by SIGPIPE, which is an error of printAll instead.
	signal.Ignore(syscall.SIGPIPE)
	curio.Exit(curio.Run(context.Background(), func(ctx context.Context) error {
		file := os.Stdin
		if flag.NArg() == 1 {
			var err error
			if file, err = os.Open(flag.Arg(0)); err != nil {
				return err
			}
		}
		lines, err := stream.FromFile(file)
		if err != nil {
			return err
		}
		defer lines.Close()
		return run(ctx, os.Stdout, lines, s)
	}, curio.StopOnSignals(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP), curio.Grace(*grace)))
}
