package subprocess_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/socket"
	"github.com/curio-go/curio/stream"
	"github.com/curio-go/curio/subprocess"
)

// What does not fit a place is refused before anything is started, with what is wrong and where.
func TestStdioRefused(t *testing.T) {
	testutil.NoLeaks(t)
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	in, out := subprocess.Reader(strings.NewReader("")), subprocess.Writer(io.Discard)
	embedded := struct{ subprocess.Stdio }{subprocess.Null}
	type test struct {
		name   string
		set    func(c *subprocess.Cmd)
		popen  bool
		target error
	}
	tests := []test{
		{"Merge as Stdin", func(c *subprocess.Cmd) { c.Stdin = subprocess.Merge }, false, os.ErrInvalid},
		{"Merge as Stdout", func(c *subprocess.Cmd) { c.Stdout = subprocess.Merge }, false, os.ErrInvalid},
		{"Bytes as Stdout", func(c *subprocess.Cmd) { c.Stdout = subprocess.Bytes(nil) }, false, os.ErrInvalid},
		{"Bytes as Stderr", func(c *subprocess.Cmd) { c.Stderr = subprocess.Bytes(nil) }, false, os.ErrInvalid},
		{"Reader as Stdout", func(c *subprocess.Cmd) { c.Stdout = in }, false, os.ErrInvalid},
		{"Writer as Stdin", func(c *subprocess.Cmd) { c.Stdin = out }, false, os.ErrInvalid},
		{"Pipe in Run", func(c *subprocess.Cmd) { c.Stdout = subprocess.Pipe }, false, errors.ErrUnsupported},
		{"Bytes in Popen", func(c *subprocess.Cmd) { c.Stdin = subprocess.Bytes(nil) }, true, errors.ErrUnsupported},
		{"Reader in Popen", func(c *subprocess.Cmd) { c.Stdin = in }, true, errors.ErrUnsupported},
		{"Writer in Popen", func(c *subprocess.Cmd) { c.Stderr = out }, true, errors.ErrUnsupported},
		{"File(nil)", func(c *subprocess.Cmd) { c.Stdin = subprocess.File(nil) }, false, os.ErrInvalid},
		{"Stream(nil)", func(c *subprocess.Cmd) { c.Stdin = subprocess.Stream(nil) }, false, os.ErrInvalid},
		{"Reader(nil)", func(c *subprocess.Cmd) { c.Stdin = subprocess.Reader(nil) }, false, os.ErrInvalid},
		{"Writer(nil)", func(c *subprocess.Cmd) { c.Stdout = subprocess.Writer(nil) }, false, os.ErrInvalid},
		{"zero Stream", func(c *subprocess.Cmd) { c.Stdin = subprocess.Stream(new(stream.Stream)) }, false, os.ErrInvalid},
		{"Stream without a descriptor", func(c *subprocess.Cmd) { c.Stdin = subprocess.Stream(stream.FromConn(a)) }, false, errors.ErrUnsupported},
		{"embedded", func(c *subprocess.Cmd) { c.Stdin = embedded }, false, os.ErrInvalid},
		{"TTY without Terminal", func(c *subprocess.Cmd) { c.Stdin = subprocess.TTY }, false, os.ErrInvalid},
		{"Terminal without TTY", func(c *subprocess.Cmd) { c.Terminal = new(subprocess.Terminal) }, false, os.ErrInvalid},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			name := nameIn(t, "made")
			cmd := subprocess.Command("touch", name)
			test.set(cmd)
			var err error
			if test.popen {
				_, err = subprocess.Popen(background, cmd)
			} else {
				_, err = subprocess.Run(background, cmd)
			}
			wantError(t, err, test.target)
			var e *subprocess.Error
			if !errors.As(err, &e) || e.Op != "start" || e.Name != "touch" {
				t.Errorf("%#v", err)
			}
			t.Log(err)
			if _, err := os.Stat(name); err == nil {
				t.Error("it was started")
			}
		})
	}
	cmd := subprocess.Command("true")
	cmd.Stdout = out
	_, err := subprocess.CheckOutput(background, cmd)
	wantError(t, err, errors.ErrUnsupported)
}

// Null, Inherit and File.
func TestStdioFiles(t *testing.T) {
	testutil.NoLeaks(t)
	name := nameIn(t, "out")
	f, err := os.Create(name)
	check(t, err)
	defer f.Close()
	cmd := shell("echo out; echo err >&2")
	cmd.Stdout, cmd.Stderr = subprocess.File(f), subprocess.Merge
	_, err = subprocess.Run(background, cmd)
	check(t, err)
	cmd.Stderr = subprocess.File(f)
	_, err = subprocess.Run(background, cmd)
	gotBytes(t, []byte(readFile(t, name)), err, "out\nerr\nout\nerr\n")
	_, err = f.WriteString("mine\n") // the offset is shared, and f is still open
	check(t, err)
	cmd.Stdout, cmd.Stderr = subprocess.Null, subprocess.Null
	c, err := subprocess.Run(background, cmd)
	if check(t, err); c.Stdout != nil || c.Stderr != nil {
		t.Errorf("%+v", c)
	}
	closed, err := os.Open(os.DevNull)
	check(t, err)
	closed.Close()
	cmd.Stdout = subprocess.File(closed)
	_, err = subprocess.Run(background, cmd)
	wantError(t, err, os.ErrClosed)
	wantText(t, err, "File as standard output")
}

func isNonblocking(t testing.TB, f *os.File) (is bool) {
	t.Helper()
	raw, err := f.SyscallConn()
	check(t, err)
	check(t, raw.Control(func(fd uintptr) { is = nonblocking(int(fd)) }))
	return is
}

func nonblocking(fd int) bool {
	flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFL, 0)
	return errno == 0 && flags&syscall.O_NONBLOCK != 0
}

func init() {
	// modes says which of the descriptors 0 to 2 are not in blocking mode.
	children["modes"] = func([]string) error {
		modes := fmt.Sprint(nonblocking(0), nonblocking(1), nonblocking(2))
		return os.WriteFile(os.Getenv("MODES"), []byte(modes), 0o600)
	}
	// inherits runs a program with our own streams, and says whether their mode has changed.
	children["inherits"] = func([]string) error {
		before := [3]bool{nonblocking(0), nonblocking(1), nonblocking(2)}
		cmd := shell("cat; echo err >&2")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = subprocess.Inherit, subprocess.Inherit, subprocess.Inherit
		if _, err := subprocess.Run(background, cmd); err != nil {
			return err
		}
		after := [3]bool{nonblocking(0), nonblocking(1), nonblocking(2)}
		_, err := fmt.Println(before, after)
		return err
	}
}

// Traps 54 and 55: whatever a program gets, it is in blocking mode, and what we have is as it was: the
// two are never the same open file.
func TestModes(t *testing.T) {
	testutil.NoLeaks(t)
	run := func(t *testing.T, set func(c *subprocess.Cmd)) {
		t.Helper()
		cmd := self(t, "modes")
		name := nameIn(t, "modes")
		cmd.Env = append(cmd.Env, "MODES="+name)
		set(cmd)
		p := popen(t, cmd)
		for _, s := range []*stream.Stream{p.Stdin, p.Stdout, p.Stderr} {
			if s != nil {
				defer s.Close()
			}
		}
		if status := waitFor(t, p); !status.Success() {
			t.Fatalf("%+v", status)
		}
		if got := readFile(t, name); got != "false false false" {
			t.Errorf("the program's streams are in non-blocking mode: %s", got)
		}
	}
	t.Run("Pipe", func(t *testing.T) { run(t, func(c *subprocess.Cmd) { piped(c) }) })
	t.Run("Null", func(t *testing.T) { run(t, func(*subprocess.Cmd) {}) })
	t.Run("Merge", func(t *testing.T) {
		run(t, func(c *subprocess.Cmd) { c.Stdout, c.Stderr = subprocess.Pipe, subprocess.Merge })
	})
	t.Run("File", func(t *testing.T) {
		if runtime.GOOS != "linux" {
			t.Skip("a pipe cannot be opened anew here")
		}
		r, w, err := os.Pipe()
		check(t, err)
		defer r.Close()
		defer w.Close()
		run(t, func(c *subprocess.Cmd) {
			c.Stdin, c.Stdout, c.Stderr = subprocess.File(r), subprocess.File(w), subprocess.File(w)
		})
		if !isNonblocking(t, r) || !isNonblocking(t, w) {
			t.Error("our pipe has become blocking")
		}
	})
	t.Run("Stream", func(t *testing.T) {
		other := popen(t, piped(subprocess.Command("cat")))
		a, b, err := socket.SocketPair(socket.SOCK_STREAM)
		check(t, err)
		defer b.Close()
		r, w, err := os.Pipe()
		check(t, err)
		defer r.Close()
		file, err := stream.FromFile(w)
		check(t, err)
		run(t, func(c *subprocess.Cmd) {
			c.Stdin, c.Stdout, c.Stderr = subprocess.Stream(other.Stdout), subprocess.Stream(stream.New(a)), subprocess.Stream(file)
		})
	})
}

// A pipe of package os works as both ends of programs, and ours of it does not keep them from their end.
func TestFilePipe(t *testing.T) {
	testutil.NoLeaks(t)
	if runtime.GOOS != "linux" {
		t.Skip("a pipe cannot be opened anew here")
	}
	r, w, err := os.Pipe()
	check(t, err)
	defer r.Close()
	cmd := subprocess.Command("echo", "through the pipe")
	cmd.Stdout = subprocess.File(w)
	_, err = subprocess.Run(background, cmd)
	check(t, err)
	check(t, w.Close())
	cmd = subprocess.Command("cat")
	cmd.Stdin = subprocess.File(r)
	out, err := subprocess.CheckOutput(background, cmd)
	gotBytes(t, out, err, "through the pipe\n")

	r2, w2, err := os.Pipe()
	check(t, err)
	defer w2.Close()
	r2.Close()
	cmd = subprocess.Command("echo", "to nobody")
	cmd.Stdout = subprocess.File(w2)
	_, err = subprocess.Run(background, cmd)
	if exit := wantExit(t, err, -1); exit.Status.Signal != syscall.SIGPIPE {
		t.Errorf("%v", err)
	}
}

// A socket in non-blocking mode that others may share cannot be opened anew, and is refused.
func TestFileSocket(t *testing.T) {
	testutil.NoLeaks(t)
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	check(t, err)
	check(t, syscall.SetNonblock(fds[0], true))
	f, g := os.NewFile(uintptr(fds[0]), "socket"), os.NewFile(uintptr(fds[1]), "socket")
	defer f.Close()
	defer g.Close()
	cmd := subprocess.Command("echo", "hello")
	cmd.Stdout = subprocess.File(f)
	_, err = subprocess.Run(background, cmd)
	wantError(t, err, errors.ErrUnsupported)
	cmd.Stdout = subprocess.File(g)
	_, err = subprocess.Run(background, cmd)
	check(t, err)
	buf := make([]byte, 10)
	n, err := f.Read(buf)
	gotBytes(t, buf[:n], err, "hello\n")
}

// Trap 56: our own streams go to the program as they are, and stay so.
func TestInherit(t *testing.T) {
	child := testutil.Self(t, "inherits")
	fmt.Fprintln(child.Stdin, "through")
	child.Stdin.Close()
	if out, status := child.Rest(); status != 0 || out != "through\n[false false false] [false false false]\n" {
		t.Errorf("%d, %q", status, out)
	}
	if err := child.Stderr(); err != "err\n" {
		t.Errorf("%q", err)
	}
}

// P7: the output of one program is the input of another. The stream is closed here.
func TestStreamToProgram(t *testing.T) {
	testutil.NoLeaks(t)
	first := popen(t, piped(subprocess.Command("cat")))
	second := subprocess.Command("tr", "a-z", "A-Z")
	second.Stdin, second.Stdout = subprocess.Stream(first.Stdout), subprocess.Pipe
	p := popen(t, second)
	_, err := first.Stdout.Read(background, make([]byte, 1))
	wantError(t, err, net.ErrClosed)
	_, err = first.Stdin.WriteString(background, "hello\n")
	check(t, err)
	check(t, first.Stdin.Close())
	out, _, err := p.Communicate(background, nil)
	gotBytes(t, out, err, "HELLO\n")
}

// A program that talks with a peer by a socket, as inetd has it: one stream for input and output.
func TestStreamSocket(t *testing.T) {
	testutil.NoLeaks(t)
	a, b, err := socket.SocketPair(socket.SOCK_STREAM)
	check(t, err)
	peer := stream.New(b)
	defer peer.Close()
	conn := subprocess.Stream(stream.New(a))
	cmd := shell("read x; echo got $x")
	cmd.Stdin, cmd.Stdout = conn, conn
	p := popen(t, cmd)
	_, err = peer.WriteString(background, "hello\n")
	check(t, err)
	line, err := peer.ReadLine(background)
	gotBytes(t, []byte(line), err, "got hello\n")
	if status := waitFor(t, p); !status.Success() {
		t.Errorf("%v", status)
	}
	if _, err := peer.ReadLine(background); err != io.EOF { // nobody else has the socket
		t.Errorf("%v", err)
	}
}

// A socket of which there are duplicates is refused, as they would get into blocking mode.
func TestStreamShared(t *testing.T) {
	testutil.NoLeaks(t)
	for name, share := range map[string]func(t *testing.T, s *socket.Socket) *socket.Socket{
		"Dup": func(t *testing.T, s *socket.Socket) *socket.Socket {
			twin, err := s.Dup()
			check(t, err)
			t.Cleanup(func() { twin.Close() })
			return s
		},
		"of Dup": func(t *testing.T, s *socket.Socket) *socket.Socket {
			twin, err := s.Dup()
			check(t, err)
			return twin
		},
		"File": func(t *testing.T, s *socket.Socket) *socket.Socket {
			f, err := s.File()
			check(t, err)
			t.Cleanup(func() { f.Close() })
			return s
		},
		"FromConn": func(t *testing.T, s *socket.Socket) *socket.Socket {
			twin, err := socket.FromConn(s)
			check(t, err)
			t.Cleanup(func() { twin.Close() })
			return s
		},
		"FromFD": func(t *testing.T, s *socket.Socket) *socket.Socket {
			fd, err := s.Detach()
			check(t, err)
			again, err := socket.FromFD(fd)
			check(t, err)
			return again
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, b, err := socket.SocketPair(socket.SOCK_STREAM)
			check(t, err)
			defer a.Close()
			defer b.Close()
			s := stream.New(share(t, a))
			defer s.Close()
			cmd := subprocess.Command("true")
			cmd.Stdin = subprocess.Stream(s)
			_, err = subprocess.Run(background, cmd)
			wantError(t, err, errors.ErrUnsupported)
			_, err = s.WriteString(background, "it is still open")
			check(t, err)
		})
	}
}

// A stream with something in it is refused, and left alone; one whose program cannot be started is closed.
func TestStreamRefused(t *testing.T) {
	testutil.NoLeaks(t)
	first := popen(t, piped(subprocess.Command("cat")))
	_, err := first.Stdin.WriteString(background, "hello\n")
	check(t, err)
	_, err = first.Stdout.Peek(background, 6)
	check(t, err)
	cmd := subprocess.Command("cat")
	cmd.Stdin = subprocess.Stream(first.Stdout)
	_, err = subprocess.Run(background, cmd)
	wantError(t, err, stream.ErrUnread)
	line, err := first.Stdout.ReadLine(background)
	gotBytes(t, []byte(line), err, "hello\n")
	cmd.Path = "/no/such/program"
	_, err = subprocess.Run(background, cmd)
	wantError(t, err, os.ErrNotExist)
	_, err = subprocess.Run(background, cmd)
	wantError(t, err, net.ErrClosed)
}

// No descriptor of ours gets into a program but those it is to have, and none is left here, also if a
// start fails or there are no more descriptors.
func TestNoDescriptorLeaks(t *testing.T) {
	testutil.NoLeaks(t)
	if runtime.GOOS != "linux" {
		t.Skip("there is no /proc here")
	}
	other := popen(t, piped(subprocess.Command("cat"))) // whose pipes must not be seen
	out, err := subprocess.CheckOutput(background, shell("cd /proc/self/fd; for f in *; do test -e $f && echo $f; done; true"))
	check(t, err)
	fds := strings.Fields(string(out))
	fds = slices.DeleteFunc(fds, func(fd string) bool { return fd == "0" || fd == "1" || fd == "2" })
	for _, fd := range fds {
		if inheritable(fd) { // inherited from what has started the test
			continue
		}
		t.Errorf("descriptor %s is open in the program: %q", fd, out)
	}
	check(t, other.Close())
}

func inheritable(fd string) bool {
	info, err := os.ReadFile("/proc/self/fdinfo/" + fd)
	return err == nil && !bytes.Contains(info, []byte("flags:\t02")) // O_CLOEXEC
}

// A start for which there are no descriptors fails with what it lacks, and leaves nothing.
func TestNoDescriptorsForPipes(t *testing.T) {
	child := testutil.Self(t, "few for pipes")
	if out, status := child.Rest(); status != 0 || out != "ok\n" {
		t.Errorf("%d, %q, %s", status, out, child.Stderr())
	}
}

// setNumber is for a field whose type depends on the system.
func setNumber[T int64 | uint64](to *T, n int) { *to = T(n) }

func init() {
	children["few for pipes"] = func([]string) error {
		if _, err := subprocess.CheckOutput(background, subprocess.Command("true")); err != nil { // the poller is there now
			return err
		}
		before := testutil.Descriptors(os.Getpid())
		var limit syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			return err
		}
		failed := 0
		for n := range 16 {
			low := limit
			setNumber(&low.Cur, len(before)+8+n)
			if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &low); err != nil {
				return err
			}
			cmd := subprocess.Command("cat")
			cmd.Stdin = subprocess.Bytes([]byte("x"))
			for _, run := range []func(context.Context) error{
				func(ctx context.Context) error { _, err := subprocess.Run(ctx, cmd); return err },
				func(ctx context.Context) error {
					_, err := subprocess.RunPipeline(ctx, cmd, subprocess.Command("cat"))
					return err
				},
				func(ctx context.Context) error {
					p, err := subprocess.Popen(ctx, piped(subprocess.Command("cat")))
					if err == nil {
						err = p.Close()
						_, _ = p.Wait(ctx)
					}
					return err
				},
			} {
				if err := run(background); err != nil {
					if failed++; !errors.Is(err, syscall.EMFILE) {
						return err
					}
				}
			}
		}
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			return err
		}
		var after []string
		if !testutil.Eventually(func() bool {
			after = testutil.Descriptors(os.Getpid())
			return len(after) <= len(before)
		}) {
			return fmt.Errorf("descriptors %q, and before %q", after, before)
		}
		if failed == 0 {
			return errors.New("nothing has failed")
		}
		_, err := fmt.Println("ok")
		return err
	}
}
