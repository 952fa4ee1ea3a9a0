package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"unicode"

	"github.com/curio-go/curio/internal/testutil"
)

// ownVariable is set where the test binary is to be the program itself, in a terminal: see tmux_test.go.
const ownVariable = "CURIO_TEST_TOP"

func TestMain(m *testing.M) {
	switch os.Getenv(ownVariable) {
	case "":
		testutil.Main(m, nil)
	case "panics":
		os.Exit(panicInTop())
	default:
		main()
	}
}

// A result is what a run of the program has left.
type result struct {
	stdout, stderr string
	status         int
}

// program runs the program in this process, with the given environment, one NAME=VALUE each.
func program(t *testing.T, env []string, stdin string, args ...string) result {
	t.Helper()
	var out, err bytes.Buffer
	s := system{
		stdin: strings.NewReader(stdin), stdout: &out, stderr: &err, interactive: stdin != "",
		getenv: func(name string) string {
			for _, e := range env {
				if value, ok := strings.CutPrefix(e, name+"="); ok {
					return value
				}
			}
			return ""
		},
	}
	status := run(t.Context(), args, s)
	return result{out.String(), err.String(), status}
}

func (r result) want(t *testing.T, status int, stdout, stderr string) {
	t.Helper()
	if r.status != status || r.stdout != stdout || r.stderr != stderr {
		t.Errorf("status %d, want %d\nstdout:\n%s\nwant:\n%s\nstderr:\n%s\nwant:\n%s", r.status, status, r.stdout, stdout, r.stderr, stderr)
	}
}

// isHarmless fails the test if text has in it what a terminal obeys, or what does not show.
func isHarmless(t *testing.T, text string) {
	t.Helper()
	for _, r := range text {
		if r != '\n' && (!unicode.IsPrint(r) || unicode.Is(unicode.Bidi_Control, r)) {
			t.Errorf("there is %U in\n%q", r, text)
			return
		}
	}
}

func TestUsage(t *testing.T) {
	testutil.NoLeaks(t)
	for _, c := range []struct {
		args           string
		status         int
		stdout, stderr string // what they begin with
	}{
		{"", 2, "", "Curio shows what the tasks"},
		{"help", 0, "Curio shows what the tasks", ""},
		{"-h", 0, "Curio shows what the tasks", ""},
		{"--help", 0, "Curio shows what the tasks", ""},
		{"help ps", 0, "Usage: curio ps [FLAGS] [ADDRESS]\n\nTo list all tasks.\n\n  -filter TEXT", ""},
		{"cancel -h", 0, "Usage: curio cancel [FLAGS] TASK [ADDRESS]", ""},
		{"help nothing", 2, "", "curio: there is no command nothing: see curio help"},
		{"version", 0, "curio ", ""},
		{"pss", 2, "", "curio: there is no command pss: see curio help\n"},
		{"ps -x", 2, "", "curio ps: flag provided but not defined: -x\nusage: curio ps [FLAGS] [ADDRESS]\n"},
		{"ps a:1 b:2", 2, "", "curio ps: there are too many arguments\n"},
		{"ps -sort size", 2, "", "curio ps: -sort takes one of age, waiting, cycles, state, name\n"},
		{"ps -limit 0", 2, "", "curio ps: -limit takes a number from 1 to 100000\n"},
		{"ps -timeout 0", 2, "", "curio ps: invalid value"},
		{"tree -limit 1000000", 2, "", "curio tree: -limit takes"},
		{"top -limit 0", 2, "", "curio top: -limit takes"},
		{"where", 2, "", "curio where: an argument is missing\n"},
		{"why", 2, "", "curio why: an argument is missing\n"},
		{"cancel", 2, "", "curio cancel: an argument is missing\n"},
		{"show", 2, "", "curio show: an argument is missing\n"},
		{"show a b", 2, "", "curio show: there are too many arguments\n"},
		{"ps", 1, "", "curio: where is the monitor? Give its address, or set CURIO_MONITOR\n"},
		{"top 127.0.0.1:1", 1, "", "curio: top needs a terminal"},
	} {
		r := program(t, nil, "", strings.Fields(c.args)...)
		if r.status != c.status || !strings.HasPrefix(r.stdout, c.stdout) || !strings.HasPrefix(r.stderr, c.stderr) || (c.stdout == "") != (r.stdout == "") || (c.stderr == "") != (r.stderr == "") {
			t.Errorf("curio %s: status %d\nstdout: %s\nstderr: %s", c.args, r.status, r.stdout, r.stderr)
		}
	}
}

// Each line of the help fits on a terminal.
func TestHelpFits(t *testing.T) {
	for _, c := range append(commands(), command{name: "help"}) {
		for line := range strings.Lines(program(t, nil, "", "help", c.name).stdout) {
			if len(line) > 120 {
				t.Errorf("%d columns: %s", len(line), line)
			}
		}
	}
}
