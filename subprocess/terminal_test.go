package subprocess_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/stream"
	"github.com/curio-go/curio/subprocess"
)

// onTerminal starts c with a terminal of its own for all its standard streams.
func onTerminal(t *testing.T, c *subprocess.Cmd) (*subprocess.Process, *stream.Stream) {
	t.Helper()
	c.Terminal = &subprocess.Terminal{Rows: 30, Columns: 100}
	c.Stdin, c.Stdout, c.Stderr = subprocess.TTY, subprocess.TTY, subprocess.TTY
	master, slave, err := subprocess.OpenTerminal(c.Terminal.Rows, c.Terminal.Columns)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	p := start(t, c, slave, slave, slave)
	slave.Close()
	s, err := stream.FromFile(master)
	check(t, err)
	t.Cleanup(func() { s.Close() })
	p.SetTerminal(master)
	return p, s
}

// said reads up to a line that ends with text.
func said(t *testing.T, p *subprocess.Process, s *stream.Stream, text string) {
	t.Helper()
	bound, cancel := context.WithTimeout(background, testutil.Patience)
	defer cancel()
	var before []string
	for {
		line, err := s.ReadLine(bound)
		if strings.HasSuffix(strings.TrimRight(line, "\r\n"), text) {
			return
		}
		before = append(before, line)
		if err != nil {
			if errors.Is(err, syscall.EIO) { // nobody has the terminal open: how did that come?
				_, _ = p.Wait(bound)
			}
			status, ended := p.Poll()
			t.Fatalf("the program has not said %q but %q: %v; ended: %v, %+v", text, before, err, ended, status)
		}
	}
}

// The program has the terminal, which controls it, and its size.
func TestTerminal(t *testing.T) {
	inEachWay(t, func(t *testing.T) {
		p, s := onTerminal(t, shell(`[ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo is terminal
			echo controls > /dev/tty
			stty size
			trap 'stty size; echo resized' WINCH
			trap 'echo interrupted' INT
			echo ready
			while :; do # a signal ends a read
				read line || continue
				[ "$line" = end ] && break
				echo "read $line"
			done
			echo bye`))
		said(t, p, s, "is terminal")
		said(t, p, s, "controls")
		said(t, p, s, "30 100")
		said(t, p, s, "ready")
		_, err := s.WriteString(background, "hello\n")
		check(t, err)
		said(t, p, s, "read hello")
		check(t, p.Resize(40, 90))
		_, err = s.WriteString(background, "x\n")
		check(t, err)
		said(t, p, s, "40 90")
		_, err = s.WriteString(background, "\x03\n") // Ctrl-C
		check(t, err)
		said(t, p, s, "interrupted")
		_, err = s.WriteString(background, "end\n")
		check(t, err)
		rest, err := s.ReadAll(background, 1<<20)
		if err != nil {
			wantError(t, err, syscall.EIO) // which is Linux's end of a terminal
		}
		if !strings.HasSuffix(string(rest), "bye\r\n") {
			t.Errorf("at the end it has said %q", rest)
		}
		if status := waitFor(t, p); !status.Success() {
			t.Errorf("%+v", status)
		}
		if g := p.Containment(); g != subprocess.ContainedGroup {
			t.Errorf("contained: %v", g)
		}
	})
}

// A program that we hang up on gets SIGHUP. It does not read: a read fails a moment before the signal comes.
func TestTerminalHangUp(t *testing.T) {
	testutil.NoLeaks(t)
	p, s := onTerminal(t, shell("echo ready; exec sleep 1000"))
	said(t, p, s, "ready")
	check(t, s.Close())
	if status := waitFor(t, p); status.Signal != syscall.SIGHUP {
		t.Errorf("%+v", status)
	}
	wantError(t, p.Resize(1, 1), os.ErrClosed)
}

func TestResizeWithoutTerminal(t *testing.T) {
	testutil.NoLeaks(t)
	p := start(t, subprocess.Command("/bin/true"))
	wantError(t, p.Resize(1, 1), errors.ErrUnsupported)
}

func TestTerminalDefaultSize(t *testing.T) {
	testutil.NoLeaks(t)
	master, slave, err := subprocess.OpenTerminal(0, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	defer master.Close()
	defer slave.Close()
	w, out := pipe(t)
	start(t, shell("stty size"), slave, w)
	w.Close()
	out.expect("24 80")
}

// A terminal and our own group exclude each other.
func TestTerminalShared(t *testing.T) {
	testutil.NoLeaks(t)
	master, slave, err := subprocess.OpenTerminal(0, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	defer master.Close()
	defer slave.Close()
	c := subprocess.Command("/bin/true")
	c.Terminal, c.Group, c.Stdin = &subprocess.Terminal{}, subprocess.GroupShared, subprocess.TTY
	_, err = subprocess.Start(background, c, slave)
	wantText(t, err, "GroupShared")
}

// A program that reads our terminal stays in our group, so that it is not stopped; others have their own.
func TestGroupOnOurTerminal(t *testing.T) {
	testutil.NoLeaks(t)
	p, s := onTerminal(t, self(t, "onterminal"))
	said(t, p, s, "reads the terminal: shared")
	said(t, p, s, "reads something else: own")
	said(t, p, s, "in a group of its own: stopped")
}

func init() {
	children["onterminal"] = func([]string) error {
		say := func(text string) { os.Stdout.WriteString(text + "\n") }
		group := func(stdin *os.File) (string, error) {
			p, err := subprocess.Start(background, subprocess.Command("/bin/sleep", "1000"), stdin)
			if err != nil {
				return "", err
			}
			g, err := syscall.Getpgid(p.Pid())
			if _, failed := p.Stop(background); err != nil || failed != nil {
				return "", errors.Join(err, failed)
			}
			if g == p.Pid() {
				return "own", nil
			}
			return "shared", nil
		}
		which, err := group(os.Stdin)
		if err != nil {
			return err
		}
		say("reads the terminal: " + which)
		if which, err = group(nil); err != nil {
			return err
		}
		say("reads something else: " + which)
		c := subprocess.Command("/bin/cat")
		c.Group = subprocess.GroupOwn
		p, err := subprocess.Start(background, c, os.Stdin)
		if err != nil {
			return err
		}
		if !testutil.Eventually(p.Stopped) {
			return errors.New("it is not stopped")
		}
		say("in a group of its own: stopped")
		_, err = p.Stop(background)
		return err
	}
}
