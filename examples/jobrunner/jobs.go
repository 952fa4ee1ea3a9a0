package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/stream"
	"github.com/curio-go/curio/subprocess"
)

// ahead is how many jobs for each that may run may have begun before the oldest one has been printed. It
// bounds the memory for output that waits for a slow job.
const ahead = 4

const longestLine = 1 << 16 // bytes of a command

const killAfter = 2 * time.Second // a job that was asked to end

type settings struct {
	atOnce            int
	within            time.Duration
	cpu, memory, file uint64
	output            int64
}

// A job is a line, and what has become of it.
type job struct {
	number  int
	command string
	done    *subprocess.Completed // nil if it could not be started
	late    bool                  // it was ended, as it took too long
	took    time.Duration
	err     error
}

// run runs the jobs that it reads from lines, and prints what has become of them. The error says how many
// have failed.
func run(ctx context.Context, out io.Writer, lines *stream.Stream, s settings) error {
	lines.SetLineLimit(longestLine)
	order := curio.NewQueue[*curio.Task[*job]](s.atOnce * ahead) // of those whose result is to be printed
	begun, failed := 0, 0
	err := curio.Group(ctx, func(ctx context.Context, g *curio.Tasks) error {
		g.Go(func(ctx context.Context) error {
			// Jobs that are cancelled have said something before, too.
			return curio.DisableCancellation(ctx, func(ctx context.Context) (err error) {
				failed, err = printAll(ctx, out, order)
				return err
			})
		}, curio.Name("printer")) // whose failure ends the jobs, as nobody would see what they say
		defer order.Close()
		return curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[*job]) (err error) {
			begun, err = beginAll(ctx, g, order, lines, s)
			return err
		}, curio.Limit(s.atOnce))
	})
	if err == nil && failed > 0 {
		err = fmt.Errorf("%d of %d jobs have failed", failed, begun)
	}
	return err
}

// beginAll begins a job for each line, when there is room for one, until there are no more lines, or ctx is
// asked to stop.
func beginAll(ctx context.Context, g *curio.TaskGroup[*job], order *curio.Queue[*curio.Task[*job]], lines *stream.Stream, s settings) (begun int, err error) {
	idle, cancel := curio.UntilStop(ctx)
	defer cancel()
	for {
		command, err := lines.ReadLine(idle)
		switch {
		case err == io.EOF, errors.Is(err, curio.ErrStopping):
			return begun, nil
		case err != nil:
			return begun, err
		}
		command = strings.TrimSpace(command)
		if command == "" || strings.HasPrefix(command, "#") {
			continue
		}
		j := &job{number: begun + 1, command: command}
		task, err := g.SpawnWait(idle, func(ctx context.Context) (*job, error) { return j, s.do(ctx, j) }, curio.Name(fmt.Sprint("job ", j.number)))
		switch {
		case errors.Is(err, curio.ErrStopping):
			return begun, nil
		case err != nil:
			return begun, err
		}
		begun++
		if err := order.Put(ctx, task); err != nil {
			return begun, err
		}
	}
}

// do runs a job. Its failure is no failure of the task, and neither is its end by a cancellation: the
// output is wanted all the same.
func (s *settings) do(ctx context.Context, j *job) error {
	cmd := subprocess.Command("/bin/sh", "-c", j.command)
	cmd.Stderr = subprocess.Merge // in the order in which they were written
	cmd.Group = subprocess.GroupOwn
	cmd.Grace = killAfter
	cmd.OutputLimit = s.output
	cmd.Limits = []subprocess.Limit{
		{Resource: syscall.RLIMIT_CPU, Soft: s.cpu, Hard: s.cpu + 1},
		{Resource: syscall.RLIMIT_AS, Soft: s.memory << 20, Hard: s.memory << 20},
		{Resource: syscall.RLIMIT_FSIZE, Soft: s.file << 20, Hard: s.file << 20},
		{Resource: syscall.RLIMIT_CORE},
	}
	began := curio.Clock(ctx)
	j.late, j.err = curio.IgnoreAfter(ctx, s.within, func(ctx context.Context) (err error) {
		j.done, err = subprocess.Run(ctx, cmd)
		return err
	})
	j.took = curio.Clock(ctx).Sub(began)
	return nil
}

// printAll prints what has become of the jobs, in order, and returns how many have failed.
func printAll(ctx context.Context, out io.Writer, order *curio.Queue[*curio.Task[*job]]) (failed int, err error) {
	for task, err := range order.All(ctx) {
		if err != nil {
			return failed, err
		}
		j, err := task.Join(ctx)
		if err != nil {
			return failed, err
		}
		if j.late || j.err != nil {
			failed++
		}
		if _, err := out.Write(j.report()); err != nil {
			return failed, err
		}
	}
	return failed, nil
}

// report is what is printed of a job.
func (j *job) report() []byte {
	var text bytes.Buffer
	fmt.Fprintf(&text, "[%d] %s, after %v", j.number, j.outcome(), j.took.Round(time.Millisecond))
	if d := j.done; d != nil {
		fmt.Fprintf(&text, ", %v of processor time, %d MiB", (d.Status.UserTime + d.Status.SystemTime).Round(time.Millisecond), d.Status.MaxRSS>>20)
		if d.StdoutDropped > 0 {
			fmt.Fprintf(&text, "; %d bytes are left out in the middle of its output", d.StdoutDropped)
		}
		if d.Incomplete {
			text.WriteString("; something that it has left behind may have more to say")
		}
	}
	fmt.Fprintf(&text, ": %s\n", j.command)
	if d := j.done; d != nil && len(d.Stdout) > 0 {
		text.Write(d.Stdout)
		if !bytes.HasSuffix(d.Stdout, []byte("\n")) {
			text.WriteByte('\n')
		}
	}
	return text.Bytes()
}

func (j *job) outcome() string {
	switch exit := new(subprocess.ExitError); {
	case j.late:
		return "took too long"
	case j.err == nil:
		return "done"
	case errors.Is(j.err, curio.ErrCancelled):
		return "cancelled"
	case errors.As(j.err, &exit):
		return exit.Status.String()
	}
	return j.err.Error()
}
