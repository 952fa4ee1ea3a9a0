package subprocess_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/subprocess"
)

// write makes a file in a folder of the test's.
func write(t testing.TB, name, text string, mode fs.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	check(t, os.WriteFile(path, []byte(text), mode))
	check(t, os.Chmod(path, mode))
	return path
}

// What cannot be started is an error that says what was wrong, and leaves nothing.
func TestBadInput(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	in := func(dir string) *subprocess.Cmd {
		c := subprocess.Command("/bin/true")
		c.Dir = dir
		return c
	}
	env := func(entry string) *subprocess.Cmd {
		c := subprocess.Command("/bin/true")
		c.Env = []string{entry}
		return c
	}
	file := write(t, "file", "", 0o644)
	for _, c := range []struct {
		name  string
		cmd   *subprocess.Cmd
		is    error
		texts []string
	}{
		{"no program", &subprocess.Cmd{}, nil, []string{"Cmd.Path is empty"}},
		{"missing", subprocess.Command("/there/is/none"), fs.ErrNotExist, []string{"start /there/is/none", "exec /there/is/none: no such file"}},
		{"missing in PATH", subprocess.Command("curio-no-such-program"), exec.ErrNotFound, []string{"curio-no-such-program", "$PATH"}},
		{"missing folder", in("/there/is/none"), fs.ErrNotExist, []string{"start /bin/true", "chdir /there/is/none"}},
		{"folder is a file", in(file), syscall.ENOTDIR, []string{"chdir " + file}},
		{"missing interpreter", subprocess.Command(write(t, "script", "#!/there/is/none -x\n", 0o755)), fs.ErrNotExist, []string{`interpreter "/there/is/none" does not exist`}},
		{"interpreter of another system", subprocess.Command(write(t, "script", "#!/bin/sh\r\n", 0o755)), fs.ErrNotExist, []string{`"/bin/sh\r"`, `ends with \r\n`}},
		{"no #!", subprocess.Command(write(t, "script", "echo hello\n", 0o755)), syscall.ENOEXEC, []string{"does not begin with #!"}},
		{"not executable", subprocess.Command(write(t, "script", "#!/bin/sh\n", 0o644)), fs.ErrPermission, []string{"permission denied"}},
		{"a folder", subprocess.Command(dir), syscall.EISDIR, []string{dir}},
		{"NUL in the path", subprocess.Command("/bin/tr\x00ue"), syscall.EINVAL, []string{"the path has a NUL"}},
		{"NUL in an argument", subprocess.Command("/bin/true", "a", "b\x00c"), syscall.EINVAL, []string{"argument 2 has a NUL"}},
		{"NUL in the folder", in("/\x00"), syscall.EINVAL, []string{"the directory has a NUL"}},
		{"NUL in the environment", env("A=b\x00c"), syscall.EINVAL, []string{`entry 0 of the environment, "A", has a NUL`}},
		{"long argument", subprocess.Command("/bin/true", strings.Repeat("x", 128<<10)), syscall.E2BIG, []string{"argument 1 has 131072 bytes"}},
		{"long environment", env("A=" + strings.Repeat("x", 128<<10)), syscall.E2BIG, []string{"A in the environment has 131074 bytes"}},
		{"many arguments", subprocess.Command("/bin/true", slices.Repeat([]string{strings.Repeat("x", 100<<10)}, 1000)...), syscall.E2BIG, []string{"arguments and environment have 1024"}},
		{"a signal of another system", &subprocess.Cmd{Path: "/bin/true", StopSignal: otherSignal{}}, nil, []string{"StopSignal"}},
		{"no such group", &subprocess.Cmd{Path: "/bin/true", Group: 17}, nil, []string{"no process group 17"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := subprocess.Start(background, c.cmd)
			if err == nil {
				p.Close()
				t.Fatal("it was started")
			}
			var failed *subprocess.Error
			if !errors.As(err, &failed) || failed.Op != "start" || failed.Name != c.cmd.Path || failed.Pid != 0 {
				t.Errorf("the error is %#v", err)
			}
			if c.is != nil {
				wantError(t, err, c.is)
			}
			wantText(t, err, c.texts...)
			noChildren(t)
		})
	}
}

// One byte less than what is too long works.
func TestLongestArgument(t *testing.T) {
	testutil.NoLeaks(t)
	if status := waitFor(t, start(t, subprocess.Command("/bin/true", strings.Repeat("x", 128<<10-1)))); !status.Success() {
		t.Errorf("%+v", status)
	}
}

// A hit in the current directory is refused, as by package os/exec.
func TestDotInPath(t *testing.T) {
	testutil.NoLeaks(t)
	t.Chdir(filepath.Dir(write(t, "here", "#!/bin/sh\n", 0o755)))
	t.Setenv("PATH", ".:"+os.Getenv("PATH"))
	_, err := subprocess.Start(background, subprocess.Command("here"))
	wantError(t, err, exec.ErrDot)
}

// A relative path is relative to Dir, and PATH is this process's.
func TestWhatIsFound(t *testing.T) {
	testutil.NoLeaks(t)
	script := write(t, "script", "#!/bin/sh\necho $0 in $PWD, PATH is $PATH\n", 0o755)
	dir := filepath.Dir(script)
	t.Setenv("PATH", dir)
	for _, c := range []struct{ path, want string }{
		{"./script", "./script in " + dir},
		{"script", script + " in " + dir},
	} {
		cmd := subprocess.Command(c.path)
		cmd.Dir, cmd.Env = dir, []string{"PATH=/elsewhere"}
		_, out := speaking(t, cmd)
		out.expect(c.want + ", PATH is /elsewhere")
	}
}

func TestEnvironment(t *testing.T) {
	testutil.NoLeaks(t)
	t.Setenv("CURIO_TEST_A", "1")
	for _, c := range []struct {
		env  []string
		dir  string
		want string
	}{
		{nil, "", "CURIO_TEST_A=1"},
		{[]string{}, "", ""},
		{[]string{"CURIO_TEST_A=2", "CURIO_TEST_A=3"}, "", "CURIO_TEST_A=3"},
		{nil, "/", "CURIO_TEST_A=1 PWD=/"},
	} {
		cmd := subprocess.Command("/usr/bin/env")
		cmd.Env, cmd.Dir = c.env, c.dir
		_, out := speaking(t, cmd)
		var got []string
		for line := range strings.Lines(out.all()) {
			line = strings.TrimSpace(line)
			if strings.HasPrefix(line, "CURIO_TEST_") || c.dir != "" && strings.HasPrefix(line, "PWD=") {
				got = append(got, line)
			}
		}
		slices.Sort(got)
		if strings.Join(got, " ") != c.want {
			t.Errorf("%q in %q: %q", c.env, c.dir, got)
		}
	}
}

// Without Args the program's name is its path. Cmd is not changed, and runs again.
func TestArguments(t *testing.T) {
	testutil.NoLeaks(t)
	script := write(t, "script", "#!/bin/sh\necho \"$0 $*\"\n", 0o755)
	c := &subprocess.Cmd{Path: script}
	for range 2 {
		_, out := speaking(t, c)
		out.expect(script + " ")
		if c.Path != script || c.Args != nil || c.Env != nil {
			t.Errorf("Cmd has become %+v", c)
		}
	}
	_, out := speaking(t, subprocess.Command(script, "a", "b c"))
	out.expect(script + " a b c")
	if s := subprocess.Command("/bin/echo", "a", "b c").String(); s != `/bin/echo a "b c"` {
		t.Errorf("String: %s", s)
	}
}

// The child has its standard streams, the extra files, and nothing else of ours.
func TestDescriptors(t *testing.T) {
	testutil.NoLeaks(t)
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		t.Skip("no /proc here")
	}
	for range 3 {
		pipe(t)
	}
	w, out := pipe(t)
	extra := write(t, "extra", "from the file\n", 0o644)
	file, err := os.Open(extra)
	check(t, err)
	defer file.Close()
	c := shell("cat <&4; exec ls /proc/self/fd")
	c.ExtraFiles = []*os.File{nil, file}
	start(t, c, nil, w)
	w.Close()
	out.expect("from the file")
	want := []string{"0", "1", "2", "3", "4"} // 3 is the folder that ls reads
	for _, open := range testutil.Descriptors(os.Getpid()) {
		number, _, _ := strings.Cut(open, " ")
		if n, _ := strconv.Atoi(number); n > 4 && isInheritable(n) {
			want = append(want, number) // this process has it from its own parent
		}
	}
	slices.Sort(want)
	got := strings.Fields(out.all())
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the program has the descriptors %v, want %v", got, want)
	}
}

func isInheritable(fd int) bool {
	flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD, 0)
	return errno == 0 && flags&syscall.FD_CLOEXEC == 0
}

// Starting changes the mode of no file that is passed on.
func TestModeStays(t *testing.T) {
	testutil.NoLeaks(t)
	r, w, err := os.Pipe() // package os makes them non-blocking
	check(t, err)
	defer r.Close()
	defer w.Close()
	waitFor(t, start(t, subprocess.Command("/bin/true"), r))
	raw, err := r.SyscallConn()
	check(t, err)
	check(t, raw.Control(func(fd uintptr) {
		flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, fd, syscall.F_GETFL, 0)
		if errno != 0 || flags&syscall.O_NONBLOCK == 0 {
			t.Errorf("the pipe is in blocking mode now: %#x, %v", flags, errno)
		}
	}))
}

func TestClosedFile(t *testing.T) {
	testutil.NoLeaks(t)
	r, w, err := os.Pipe()
	check(t, err)
	w.Close()
	r.Close()
	_, err = subprocess.Start(background, subprocess.Command("/bin/true"), r)
	wantError(t, err, os.ErrClosed)
	c := subprocess.Command("/bin/true")
	c.ExtraFiles = []*os.File{w}
	_, err = subprocess.Start(background, c)
	wantError(t, err, os.ErrClosed)
}

func TestNullDevice(t *testing.T) {
	testutil.NoLeaks(t)
	w, out := pipe(t)
	c := shell("cat; echo lost; [ /dev/stdin -ef /dev/null ] && [ /dev/stdout -ef /dev/null ] && echo null >&2")
	start(t, c, nil, nil, w)
	w.Close()
	out.expect("null")
}

func TestGroups(t *testing.T) {
	testutil.NoLeaks(t)
	ourGroup, ourSession := groupAndSession(t, os.Getpid())
	for group, want := range map[subprocess.ProcessGroup][2]bool{ // its own group and its own session
		subprocess.GroupAuto:    {true, false},
		subprocess.GroupOwn:     {true, false},
		subprocess.GroupShared:  {false, false},
		subprocess.GroupSession: {true, true},
	} {
		c := shell("read line")
		c.Group = group
		p := start(t, c, stdin(t, nil))
		g, s := groupAndSession(t, p.Pid())
		if s == 0 {
			want[1] = false
		}
		if own := [2]bool{g == p.Pid(), s == p.Pid()}; own != want || !want[0] && g != ourGroup || !want[1] && s != ourSession {
			t.Errorf("group %v: process %d is in group %d, session %d", group, p.Pid(), g, s)
		}
		if contained := p.Containment() == subprocess.ContainedGroup; contained != want[0] {
			t.Errorf("group %v: contained: %v", group, p.Containment())
		}
	}
}

func TestCredential(t *testing.T) {
	needRoot(t)
	needID(t)
	testutil.NoLeaks(t)
	c := shell("id -u; id -g")
	c.Credential = &syscall.Credential{Uid: 65534, Gid: 65533}
	_, out := speaking(t, c)
	out.expect("65534")
	out.expect("65533")
}

// needID skips the test if another user cannot run id.
func needID(t *testing.T) {
	t.Helper()
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		path := filepath.Join(dir, "id")
		if _, err := os.Stat(path); err == nil {
			testutil.NeedReachable(t, path)
			return
		}
	}
	t.Skip("there is no id here")
}

// A program that somebody is just writing is tried again, for as long as ctx allows, and not for ever.
func TestBusy(t *testing.T) {
	testutil.NoLeaks(t)
	script := write(t, "script", "#!/bin/sh\nexit 5\n", 0o755)
	for _, c := range []struct {
		name string
		run  func(ctx context.Context, try int, file *os.File, cancel func())
		want error
	}{
		{"for a moment", func(_ context.Context, try int, file *os.File, _ func()) {
			if try == 3 {
				file.Close()
			}
		}, nil},
		{"for ever", func(_ context.Context, try int, _ *os.File, _ func()) {
			if try > subprocess.BusyTries {
				t.Errorf("try %d", try)
			}
		}, syscall.ETXTBSY},
		{"until ctx is done", func(_ context.Context, try int, _ *os.File, cancel func()) {
			if try == 2 {
				cancel()
			}
		}, context.Canceled},
	} {
		t.Run(c.name, func(t *testing.T) {
			file, err := os.OpenFile(script, os.O_WRONLY, 0)
			check(t, err)
			defer file.Close()
			ctx, cancel := context.WithCancel(background)
			defer cancel()
			try := 0
			subprocess.Inject(t, func(step string) error {
				if step == "fork" {
					try++
					c.run(ctx, try, file, cancel)
				}
				return nil
			})
			p, err := subprocess.Start(ctx, subprocess.Command(script))
			if !errors.Is(err, c.want) {
				t.Fatalf("the error is %v, want %v", err, c.want)
			}
			if c.want == nil {
				if status := waitFor(t, p); status.Code != 5 || try != 3 {
					t.Errorf("%+v after %d tries", status, try)
				}
			}
			noChildren(t)
		})
	}
}

// Whatever fails, and wherever ctx is done, nothing is left.
func TestFaults(t *testing.T) {
	steps := subprocess.Steps
	c := shell("read line")
	if limits := someLimits(); limits != nil {
		steps = append(slices.Clip(steps), "limits")
		c.Limits = limits
	}
	for _, step := range steps {
		for _, fails := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s fails=%v", step, fails), func(t *testing.T) {
				inEachWay(t, func(t *testing.T) { startWithFault(t, c, step, fails) })
			})
		}
	}
}

var errInjected = errors.New("injected")

// startWithFault starts c, and a step of that fails, or ctx is done by then.
func startWithFault(t *testing.T, c *subprocess.Cmd, step string, fails bool) {
	in := stdin(t, nil)
	before := len(testutil.Descriptors(os.Getpid()))
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	want := context.Canceled
	reached := false
	subprocess.Inject(t, func(s string) error {
		if s != step || reached {
			return nil
		}
		reached = true
		if fails {
			return errInjected
		}
		cancel()
		return nil
	})
	p, err := subprocess.Start(ctx, c, in)
	subprocess.InjectNone()
	switch {
	case !reached && step == "pidfd": // there are none
		want = nil
	case !reached:
		t.Error("the step is not there")
	case fails && step == "pidfd": // it can be done without
		want = nil
	case fails:
		want = errInjected
	}
	if !errors.Is(err, want) {
		t.Errorf("the error is %v, want %v", err, want)
	}
	if err == nil {
		check(t, p.Close())
		waitFor(t, p)
	}
	noChildren(t)
	testutil.NoMoreDescriptors(t, before)
	testutil.Await(t, "nobody listed", func() bool { return subprocess.Listed() == 0 })
}

// The system's errors of a fork name what it is about.
func TestForkFails(t *testing.T) {
	testutil.NoLeaks(t)
	for errno, text := range map[syscall.Errno]string{
		syscall.EAGAIN: "pids.max", syscall.ENOMEM: "not enough memory", syscall.EMFILE: "too many open files",
		syscall.ENFILE: "too many open files in system",
	} {
		subprocess.Inject(t, func(step string) error {
			if step == "fork" {
				return errno
			}
			return nil
		})
		_, err := subprocess.Start(background, subprocess.Command("/bin/true"))
		wantError(t, err, errno)
		wantText(t, err, "start /bin/true", text)
	}
}

// A hostile is a context whose Err panics, or ends the goroutine, after that many calls.
type hostile struct {
	context.Context
	calls, after int
	act          func()
}

func (h *hostile) Err() error {
	if h.calls++; h.calls > h.after {
		h.act()
	}
	return nil
}

// A context that panics or calls Goexit in the middle of a start leaves no program that nobody has.
func TestHostileContext(t *testing.T) {
	inEachWay(t, func(t *testing.T) {
		in := stdin(t, nil)
		base, cancel := context.WithCancel(background)
		defer cancel()
		for _, act := range []func(){func() { panic("hostile") }, runtime.Goexit} {
			started, tries := false, 0
			for after := 0; !started; after++ {
				tries++
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					defer func() { _ = recover() }()
					p, err := subprocess.Start(&hostile{Context: base, after: after, act: act}, shell("read line"), in)
					check(t, err)
					started = true
					check(t, p.Close())
				}()
				testutil.Receive(t, "end of the start", ended)
				testutil.Await(t, "nobody listed", func() bool { return subprocess.Listed() == 0 })
				noChildren(t)
			}
			if tries < 3 {
				t.Errorf("the context was asked %d times", tries-1)
			}
		}
	})
}

// In a bubble of testing/synctest a program runs if the system has pidfds, and is refused otherwise.
func TestBubble(t *testing.T) {
	for _, way := range subprocess.Ways() {
		t.Run(way.Name, func(t *testing.T) {
			way.Use(t)
			synctest.Test(t, func(t *testing.T) {
				done, err := subprocess.Run(t.Context(), shell("exit 3"))
				if way.Name == "by number" {
					wantError(t, err, errors.ErrUnsupported)
					wantText(t, err, "start /bin/sh", "synctest")
					return
				}
				if wantExit(t, err, 3); done.Status.Code != 3 {
					t.Errorf("%+v", done)
				}
			})
			noChildren(t)
		})
	}
}
