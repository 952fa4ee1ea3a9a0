package subprocess_test

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/subprocess"
)

func allTTY(c *subprocess.Cmd) *subprocess.Cmd {
	c.Terminal = &subprocess.Terminal{Rows: 33, Columns: 77}
	c.Stdin, c.Stdout, c.Stderr = subprocess.TTY, subprocess.TTY, subprocess.TTY
	return c
}

// needTerminals skips the test where there are no pseudo-terminals.
func needTerminals(t testing.TB) {
	t.Helper()
	_, err := subprocess.Run(background, allTTY(shell("true")))
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EACCES) {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	check(t, err)
}

// Trap 67: the end of a terminal is an end, and nothing that came before is lost.
func TestTerminalRun(t *testing.T) {
	testutil.NoLeaks(t)
	needTerminals(t)
	for range testutil.Times(100) {
		out, err := subprocess.CheckOutput(background, allTTY(shell("test -t 0 && test -t 1 && test -t 2 && stty size && echo err >&2; cat; echo end")))
		check(t, err)
		if got := strings.ReplaceAll(string(out), "^D\b\b", ""); got != "33 77\r\nerr\r\nend\r\n" {
			t.Fatalf("%q", out)
		}
	}
	// Only the output is a terminal's, so that a program writes lines.
	cmd := shell("test -t 1 && ! test -t 0 && cat")
	cmd.Terminal, cmd.Stdout, cmd.Stdin = new(subprocess.Terminal), subprocess.TTY, subprocess.Bytes([]byte("in\n"))
	out, err := subprocess.CheckOutput(background, cmd)
	gotBytes(t, out, err, "in\r\n")
	// Only the input is.
	cmd = shell("test -t 0 && ! test -t 1 && cat; echo end")
	cmd.Terminal, cmd.Stdin = new(subprocess.Terminal), subprocess.TTY
	out, err = subprocess.CheckOutput(background, cmd)
	gotBytes(t, out, err, "end\n")
	lines, errs := collect(background, allTTY(shell("echo one; echo two")))
	if strings.Join(lines, "") != "one\r\ntwo\r\n" && !strings.HasSuffix(strings.Join(lines, ""), "one\r\ntwo\r\n") || errs != nil {
		t.Errorf("%q, %v", lines, errs)
	}
}

// A conversation on a terminal, by the one stream that it has.
func TestTerminalPopen(t *testing.T) {
	testutil.NoLeaks(t)
	needTerminals(t)
	p := popen(t, allTTY(shell("stty -echo; echo ready; cat")))
	if p.Stdin == nil || p.Stdin != p.Stdout || p.Stderr != nil {
		t.Fatalf("%v, %v, %v", p.Stdin, p.Stdout, p.Stderr)
	}
	line, err := p.Stdout.ReadLine(background)
	gotBytes(t, []byte(line), err, "ready\r\n")
	_, err = p.Stdin.WriteString(background, "hello\n")
	check(t, err)
	line, err = p.Stdout.ReadLine(background)
	gotBytes(t, []byte(line), err, "hello\r\n")
	_, err = cut(t, func(ctx context.Context) (string, error) { return p.Stdout.ReadLine(ctx) }, func() {})
	wantError(t, err, curio.ErrTaskCancelled)
	check(t, p.Resize(10, 20))
	out, _, err := p.Communicate(background, []byte("last\nwithout end"))
	gotBytes(t, out, err, "last\r\nwithout end")
	if status := waitFor(t, p); !status.Success() {
		t.Errorf("%v", status)
	}
}

// Closing our side hangs up.
func TestTerminalHangup(t *testing.T) {
	testutil.NoLeaks(t)
	needTerminals(t)
	p := popen(t, allTTY(shell("echo ready; exec sleep 1000")))
	line, err := p.Stdout.ReadLine(background)
	gotBytes(t, []byte(line), err, "ready\r\n")
	check(t, p.Stdin.Close())
	if status := waitFor(t, p); status.Signal != syscall.SIGHUP {
		t.Errorf("%+v", status)
	}
	p = popen(t, allTTY(shell("true")))
	waitFor(t, p)
	if _, err := p.Stdout.Read(background, make([]byte, 10)); err != io.EOF {
		t.Errorf("%v", err)
	}
	if _, err := p.Stdin.WriteString(background, "x"); !errors.Is(err, syscall.EPIPE) && err != nil {
		t.Errorf("%v", err)
	}
}

// A program that has closed its terminal, as many do just before they exit, is not hung up on. It may open
// the terminal again.
func TestTerminalClosedByTheProgram(t *testing.T) {
	testutil.NoLeaks(t)
	needTerminals(t)
	for _, c := range []struct {
		name string
		run  func(ctx context.Context, cmd *subprocess.Cmd) (string, error)
	}{
		{"CheckOutput", func(ctx context.Context, cmd *subprocess.Cmd) (string, error) {
			out, err := subprocess.CheckOutput(ctx, cmd)
			return string(out), err
		}},
		{"Lines", func(ctx context.Context, cmd *subprocess.Cmd) (all string, err error) {
			for line, failed := range subprocess.Lines(ctx, cmd) {
				all, err = all+line, failed
			}
			return all, err
		}},
		{"Communicate", func(ctx context.Context, cmd *subprocess.Cmd) (string, error) {
			p, err := subprocess.Popen(ctx, cmd)
			if err != nil {
				return "", err
			}
			defer p.Close()
			out, _, err := p.Communicate(ctx, nil)
			if status, _ := p.Poll(); err == nil && !status.Success() {
				err = &subprocess.ExitError{Status: status}
			}
			return string(out), err
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var gates [2]*os.File // at which the program waits
			var names [2]string
			for i := range gates {
				names[i] = nameIn(t, "fifo")
				check(t, syscall.Mkfifo(names[i], 0o600))
				var err error
				gates[i], err = os.OpenFile(names[i], os.O_RDWR, 0) // which does not wait
				check(t, err)
				defer gates[i].Close()
			}
			var looks subprocess.Counter
			subprocess.Inject(t, func(step string) error {
				if step == "nobody on the terminal" {
					looks.Add(1)
				}
				return nil
			})
			var out string
			ran := curio.Go(background, func(ctx context.Context) (err error) {
				script := "echo out; exec <&- >&- 2>&-; read x <" + names[0] + "; echo again >/dev/tty; read x <" + names[1] + "; exit 3"
				out, err = c.run(ctx, allTTY(shell(script)))
				return err
			})
			t.Cleanup(func() { ran.CancelNow() })
			for _, gate := range gates {
				seen := looks.Load()
				testutil.Await(t, "look at the terminal", func() bool { return looks.Load() >= seen+2 || ran.Terminated() })
				_, err := gate.WriteString("\n")
				check(t, err)
			}
			joined(t, ran.AnyTask)
			wantExit(t, ran.Err(), 3)
			if !strings.HasSuffix(out, "out\r\nagain\r\n") {
				t.Errorf("%q", out)
			}
		})
	}
}

// The terminal that Cmd.Terminal asks for controls the program, also if it has another one at a lower place.
func TestTerminalBesideAnother(t *testing.T) {
	testutil.NoLeaks(t)
	needTerminals(t)
	master, slave, err := subprocess.OpenTerminal(0, 0)
	check(t, err)
	defer master.Close()
	defer slave.Close()
	cmd := shell("echo controls >/dev/tty")
	cmd.Terminal, cmd.Stdin, cmd.Stdout = new(subprocess.Terminal), subprocess.File(slave), subprocess.TTY
	out, err := subprocess.CheckOutput(background, cmd)
	gotBytes(t, out, err, "controls\r\n")
}
