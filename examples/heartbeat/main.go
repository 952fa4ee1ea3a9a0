// Heartbeat runs a program that is to print a line now and then, as ping does, and prints each line with the
// time since the one before. If none comes for -within it reports that, and after -misses of that in a row
// it ends the program, with all that it has started. It does so at Ctrl-C, too, when the terminal is closed,
// and when nobody reads its output any more.
//
//	go run ./examples/heartbeat [-within 2s] [-misses 3] [-pty] ping 127.0.0.1
//	go run ./examples/heartbeat -within 3s sh -c 'while echo tick; do sleep 1; done'
//
// Most programs leave it to their C library when to write. On a terminal it writes line by line, but into a
// pipe it writes whole blocks, of 4 KiB or more: a program that prints a short line each second seems to be
// silent for many minutes, and then to say everything at once. Nothing can be done about that on this side
// of the pipe. With -pty the program gets a terminal of its own, and writes as for a person. (stdbuf -oL is
// another way, for programs that have not set the mode themselves.) A terminal is not only a pipe with
// better manners: the program may also use colours, ask for a password, or page its output.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/signal"
	"github.com/curio-go/curio/stream"
	"github.com/curio-go/curio/subprocess"
)

// longestLine is how many bytes of a line are printed. One that is longer is left out.
const longestLine = 4096

type settings struct {
	within time.Duration // for each line
	misses int           // in a row, until the program is ended
	pty    bool
	grace  time.Duration // to end
}

func main() {
	var s settings
	flag.DurationVar(&s.within, "within", 2*time.Second, "how long a line may take")
	flag.IntVar(&s.misses, "misses", 3, "how often in a row that may be too long")
	flag.BoolVar(&s.pty, "pty", false, "give the program a terminal")
	flag.DurationVar(&s.grace, "grace", 5*time.Second, "how long the program has to end before it is killed")
	flag.Parse()
	if flag.NArg() == 0 || s.within <= 0 || s.misses <= 0 || s.grace <= 0 {
		flag.Usage()
		os.Exit(2)
	}
	// The program may have a group of its own. So what ends this process has to end it first: a terminal that
	// is closed, by SIGHUP, and a pipe that nobody reads, by SIGPIPE, which is an error of print instead.
	signal.Ignore(syscall.SIGPIPE)
	curio.Exit(curio.Run(context.Background(), func(ctx context.Context) error {
		return watch(ctx, os.Stdout, s, flag.Args())
	}, curio.StopOnSignals(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)))
}

// errSilent is why a program was ended.
var errSilent = errors.New("the program was silent for too long")

// watch runs a program until it ends, is silent for too long, or ctx is done.
func watch(ctx context.Context, out io.Writer, s settings, args []string) error {
	cmd := subprocess.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.Grace = subprocess.Pipe, subprocess.Merge, s.grace
	if s.pty {
		cmd.Terminal = &subprocess.Terminal{}
		cmd.Stdin, cmd.Stdout, cmd.Stderr = subprocess.TTY, subprocess.TTY, subprocess.TTY
	}
	process, err := subprocess.Popen(ctx, cmd)
	if err != nil {
		return err
	}
	defer process.Close()
	process.Stdout.SetLineLimit(longestLine)
	err = s.print(ctx, out, process.Stdout)

	// It has no more to say, or we do not want to hear it: in either case it is to end.
	var status subprocess.ExitStatus
	if err == nil {
		inTime := s.within * time.Duration(s.misses)
		var silent bool
		silent, err = curio.IgnoreAfter(ctx, inTime, func(ctx context.Context) (err error) {
			status, err = process.Wait(ctx)
			return err
		})
		if silent && err == nil {
			err = errSilent
		}
	}
	stopped := curio.DisableCancellation(ctx, func(ctx context.Context) (err error) {
		status, err = process.Stop(ctx)
		return err
	})
	if err := errors.Join(err, stopped); err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, "the program has ended:", status)
	return err
}

// print prints lines as they come, until the last one. The error is errSilent if there was none for too
// long. A line that is cut short by the timeout is not lost: what there is of it waits in the stream.
func (s *settings) print(ctx context.Context, out io.Writer, lines *stream.Stream) error {
	last, misses := curio.Clock(ctx), 0
	for {
		var line string
		late, err := curio.IgnoreAfter(ctx, s.within, func(ctx context.Context) (err error) {
			line, err = readLine(ctx, lines)
			return err
		})
		switch {
		case late && err == nil:
			misses++
			if _, err := fmt.Fprintln(out, "no line for", s.within*time.Duration(misses)); err != nil {
				return err
			}
			if misses == s.misses {
				return errSilent
			}
			continue
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
		now := curio.Clock(ctx)
		if _, err := fmt.Fprintf(out, "%6.3fs  %s\n", now.Sub(last).Seconds(), clean(line)); err != nil {
			return err
		}
		last, misses = now, 0
	}
}

// readLine returns a line, or if that is too long, how long it was.
func readLine(ctx context.Context, lines *stream.Stream) (line string, err error) {
	line, err = lines.ReadLine(ctx)
	if errors.Is(err, stream.ErrLineTooLong) {
		var n int64
		n, err = lines.SkipLine(ctx)
		line = fmt.Sprintf("(a line of %d bytes)", n)
		if err == io.EOF {
			err = nil // which the next call returns
		}
	}
	return line, err
}

// clean removes everything from a line that is not text, such as control sequences for a terminal, and
// the "\r" that a terminal puts before each "\n".
func clean(line string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) && r != '\t' {
			return -1
		}
		return r
	}, line)
}
