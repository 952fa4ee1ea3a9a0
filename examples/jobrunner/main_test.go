package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m, main) }

// start starts the program and gives it its jobs.
func start(t *testing.T, jobs string, args ...string) *testutil.Child {
	t.Helper()
	testutil.Need(t, "sh")
	testutil.NoLeaks(t)
	r := testutil.Self(t, args...)
	fmt.Fprint(r.Stdin, jobs)
	r.Stdin.Close()
	return r
}

var figures = regexp.MustCompile(`, after \S+, \S+ of processor time, \d+ MiB`)

// plain is a report without the figures, which are different each time.
func plain(report string) string { return figures.ReplaceAllString(report, "") }

// The results are in the order of the jobs, whichever is ready first, with all that they have said.
func TestOrder(t *testing.T) {
	dir := t.TempDir()
	jobs := fmt.Sprintf("# the first waits for the third\nwhile ! test -e %[1]s/x; do sleep 0.01; done; echo one\n\necho two; echo error >&2; exit 2\necho > %[1]s/x; printf three\nkill -9 $$", dir)
	r := start(t, jobs, "-jobs", "2")
	said, status := r.Rest()
	want := fmt.Sprintf("[1] done: while ! test -e %[1]s/x; do sleep 0.01; done; echo one\none\n"+
		"[2] exit status 2: echo two; echo error >&2; exit 2\ntwo\nerror\n"+
		"[3] done: echo > %[1]s/x; printf three\nthree\n"+
		"[4] signal: killed: kill -9 $$\n", dir)
	if plain(said) != want || status != 1 || r.Stderr() != "2 of 4 jobs have failed\n" {
		t.Errorf("it said %s\ncomplained %q and ended with %d", said, r.Stderr(), status)
	}
}

// As many run at a time as are allowed, and no more.
func TestAtOnce(t *testing.T) {
	dir := t.TempDir()
	// Each job waits until there are three, which it can see only if they run at the same time.
	const script = "mkdir %[1]s/%[2]d; while test $(ls %[1]s | wc -l) -lt 3; do sleep 0.01; done; echo met\n"
	var jobs strings.Builder
	for i := range 3 {
		fmt.Fprintf(&jobs, script, dir, i)
	}
	r := start(t, jobs.String(), "-jobs", "3")
	if said, status := r.Rest(); strings.Count(said, "\nmet\n") != 3 || status != 0 {
		t.Errorf("it said %s\nand ended with %d", said, status)
	}
	// One that sees another one fails.
	jobs.Reset()
	for range 5 {
		fmt.Fprintf(&jobs, "mkdir %[1]s/alone && sleep 0.01 && rmdir %[1]s/alone\n", dir)
	}
	r = start(t, jobs.String(), "-jobs", "1")
	if said, status := r.Rest(); strings.Count(said, "] done") != 5 || status != 0 {
		t.Errorf("it said %s\nand ended with %d", said, status)
	}
}

// What takes too long is ended, with what it has said, and what it has started. The limit is one that "echo" keeps on
// the busiest machine.
func TestTooLong(t *testing.T) {
	r := start(t, "echo begun; sleep 1000 & sleep 1000\necho hello\n", "-within", "4s")
	said, status := r.Rest()
	if plain(said) != "[1] took too long: echo begun; sleep 1000 & sleep 1000\nbegun\n[2] done: echo hello\nhello\n" || status != 1 {
		t.Errorf("it said %s\nand ended with %d", said, status)
	}
}

// The limits hold for what a job starts.
func TestLimits(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	for _, c := range []struct{ job, flag, value, want string }{
		{"while :; do :; done", "-cpu", "1", "[1] signal: CPU time limit exceeded"},
		{"head -c 3000000 /dev/zero > " + file + "; exit $?", "-file", "1", "[1] exit status 153"}, // 128 and SIGXFSZ
		{"head -c 200000000 /dev/zero | tail -c 200000000 | wc -c", "-memory", "100", "exhausted"},
	} {
		t.Run(c.flag, func(t *testing.T) {
			if c.flag == "-cpu" && !testutil.Long {
				t.Skip("it takes a second of the processor: set CURIO_LONG")
			}
			testutil.Need(t, "tail")
			r := start(t, c.job, c.flag, c.value)
			if said, _ := r.Rest(); !strings.Contains(said, c.want) {
				t.Errorf("it said %s", said)
			}
		})
	}
	if info, err := os.Stat(file); err == nil && info.Size() > 1<<20 {
		t.Errorf("the file has %d bytes", info.Size())
	}
}

// Of a long output the beginning and the end are kept, and the job is not held up.
func TestLongOutput(t *testing.T) {
	r := start(t, "echo begin; head -c 1000000 /dev/zero; echo end\n", "-output", "1000")
	said, status := r.Rest()
	if !strings.Contains(said, "; 999010 bytes are left out in the middle of its output: ") ||
		!strings.Contains(said, "\nbegin\n\x00") || !strings.HasSuffix(said, "\x00end\n") || status != 0 {
		t.Errorf("it said %.200q and ended with %d", said, status)
	}
}

// After Ctrl-C no more jobs are begun, and those that run end well.
func TestInterrupt(t *testing.T) {
	dir := t.TempDir()
	job := fmt.Sprintf("echo > %[1]s/begun; while ! test -e %[1]s/go; do sleep 0.01; done; echo finished\necho the next\n", dir)
	r := start(t, job, "-jobs", "1", "-grace", "1h")
	testutil.Await(t, "the first job", func() bool { _, err := os.Stat(dir + "/begun"); return err == nil })
	r.Interrupt()
	if err := os.WriteFile(dir+"/go", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	said := r.EndedBy(syscall.SIGINT)
	if !strings.Contains(said, "\nfinished\n") {
		t.Errorf("it said %s", said)
	}
}

// A second Ctrl-C ends the jobs, and what they have said is printed.
func TestInterruptedTwice(t *testing.T) {
	dir := t.TempDir()
	r := start(t, fmt.Sprintf("echo begun; echo > %s/begun; exec sleep 1000\necho the next\n", dir), "-jobs", "1", "-grace", "1h")
	testutil.Await(t, "the first job", func() bool { _, err := os.Stat(dir + "/begun"); return err == nil })
	r.Interrupt()
	_ = r.InterruptAgain()
	said := r.EndedBy(syscall.SIGINT)
	if !strings.HasPrefix(said, "[1] cancelled, ") || !strings.Contains(said, "exec sleep 1000\nbegun\n") || strings.Contains(said, "the next\n[") {
		t.Errorf("it said %s", said)
	}
}

// When nobody reads what it prints any more, the jobs are ended, and no more are begun.
func TestNobodyReads(t *testing.T) {
	testutil.Need(t, "sh")
	dir := t.TempDir()
	jobs := testutil.WriteFile(t, "jobs", fmt.Appendf(nil, "echo one\n"+
		"while ! test -e %[1]s/go; do sleep 0.01; done; echo two\n"+
		"exec sleep 1000\nexec sleep 1000\n"+ // the second one may begin before what the job before has said is printed
		"echo > %[1]s/begun\n", dir))
	r := testutil.Shell(t, "sh", fmt.Sprintf(`{ "$0" "$@"; echo status $? >&2; } | { read line; exec <&-; : > %s/go; }`, dir), "-jobs", "2", jobs)
	if r.Wait() != 0 || !strings.HasSuffix(r.Stderr(), "write /dev/stdout: broken pipe\nstatus 1\n") {
		t.Errorf("it complained %q", r.Stderr())
	}
	if _, err := os.Stat(dir + "/begun"); err == nil {
		t.Error("it has begun another job")
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{{"-jobs", "0"}, {"-within", "0s"}, {"-output", "0"}, {"a", "b"}} {
		r := testutil.Self(t, args...)
		if said, status := r.Rest(); said != "" || status != 2 || !strings.Contains(r.Stderr(), "-within duration") {
			t.Errorf("%q: it said %q, complained %q and ended with %d", args, said, r.Stderr(), status)
		}
	}
	r := testutil.Self(t, "/nowhere/jobs")
	if said, status := r.Rest(); said != "" || status != 1 || !strings.Contains(r.Stderr(), "/nowhere/jobs: no such file") {
		t.Errorf("it said %q, complained %q and ended with %d", said, r.Stderr(), status)
	}
}
