package policy_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/curio-go/curio/internal/testutil"
)

// programLimit is long enough for a slow machine that runs other tests too,
// and short enough that a program that hangs is noticed.
const programLimit = 60 * time.Second

// A program is a Go block of a document, and what it must print.
type program struct {
	block

	files   map[string]string // of a program in several blocks: see programFiles
	checked bool              // an output block follows
	output  string
	ends    string // how it must end, as os.ProcessState has it; "" for well
}

// endings are what comes after the word "output" where a program does not end with status 0.
var endings = map[string]string{
	"":                "",
	"ended by SIGINT": "signal: interrupt",
}

// programs pairs each Go block with the output block that comes directly after
// it, and returns what is wrong with the pairs.
func programs(found []block) (list []program, problems []string) {
	sofar := make(programFiles)
	for i, b := range found {
		switch b.language {
		case "go":
			p := program{block: b}
			if isFile(b) {
				files, complete, problem := sofar.add(b)
				if problem != "" {
					problems = append(problems, fmt.Sprintf("%s:%d: %s", b.file, b.line, problem))
				}
				if !complete {
					continue
				}
				p.files = files
			}
			if i+1 < len(found) && found[i+1].language == "output" {
				p.checked, p.output, p.ends = true, found[i+1].text, endings[found[i+1].info]
			}
			list = append(list, p)
			tree, err := parser.ParseFile(token.NewFileSet(), b.file, b.text, parser.PackageClauseOnly)
			if err != nil || tree.Name.Name != "main" {
				problems = append(problems, fmt.Sprintf("%s:%d: not a complete program (package main)", b.file, b.line))
			}
		case "output":
			if i == 0 || found[i-1].language != "go" || isPart(found[i-1]) || isTestFile(found[i-1].info) {
				problems = append(problems, fmt.Sprintf("%s:%d: output without a program before it", b.file, b.line))
			}
			if _, ok := endings[b.info]; !ok {
				problems = append(problems, fmt.Sprintf("%s:%d: no program ends as %q", b.file, b.line, b.info))
			}
		}
	}
	return list, problems
}

// Building and running all programs takes minutes. Without Long, it is only the programs of the README and the tutorial, so
// that a run of all tests is short.
func TestDocumentsRun(t *testing.T) {
	root := rootDir(t)
	found := documents(t, root)
	var all []program
	for _, name := range slices.Sorted(maps.Keys(found)) {
		list, problems := programs(found[name])
		report(t, problems)
		if name == "README.md" && len(list) == 0 {
			t.Error("README.md shows no Go program")
		}
		if testutil.Long || name == "README.md" || name == "docs/tutorial.md" {
			all = append(all, list...)
		}
	}
	if t.Failed() {
		return
	}
	all = distinct(all)
	module := scratchModule(t, root)
	merged := mergePrograms(t, module, all)
	for i, p := range all {
		t.Run(fmt.Sprintf("%s:%d", p.file, p.line), func(t *testing.T) {
			t.Parallel()
			var err error
			switch binary := merged[i]; {
			case binary != "":
				err = runBinary(t.Context(), t.TempDir(), p, binary, fmt.Sprint(i))
			case p.files != nil:
				err = runFiles(t.Context(), module, t.TempDir(), p)
			default:
				err = runProgram(t.Context(), module, t.TempDir(), p)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// distinct leaves out a program that stands in another document as well, with the same output.
func distinct(all []program) (list []program) {
	type seen struct{ text, output, ends string }
	had := map[seen]bool{}
	for _, p := range all {
		key := seen{p.text, p.output, p.ends}
		if p.files != nil || !had[key] { // the other files may differ
			list = append(list, p)
		}
		had[key] = true
	}
	return list
}

// scratchModule makes a module outside of the repository, because that is
// where readers try the programs: an import of an internal package, say, must
// fail here as it will for them.
func scratchModule(t *testing.T, root string) string {
	t.Helper()
	dir := t.TempDir()
	text := fmt.Sprintf("module documents\n\ngo 1.26\n\nrequire %[1]s v0.0.0\n\nreplace %[1]s => %[2]s\n", modulePath, root)
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	// The root's sums serve for whatever the root requires, so that nothing
	// has to be looked up in the network.
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if errors.Is(err, fs.ErrNotExist) {
		return dir
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "go.sum"), sums, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// runProgram builds p in the module and runs it in the directory scratch.
func runProgram(ctx context.Context, module, scratch string, p program) error {
	source, err := os.MkdirTemp(module, "program")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(source, "main.go"), []byte(p.text), 0o644); err != nil {
		return err
	}
	binary := filepath.Join(source, "program.exe")
	if err := buildProgram(ctx, module, binary, "./"+filepath.Base(source)); err != nil {
		return err
	}
	return runBinary(ctx, scratch, p, binary)
}

// buildProgram builds a package of the module.
func buildProgram(ctx context.Context, module, binary, pkg string) error {
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, pkg)
	build.Dir = module
	build.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

// runBinary runs what p was built to, in the directory scratch, and looks at what it prints.
func runBinary(ctx context.Context, scratch string, p program, binary string, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, programLimit)
	defer cancel()
	var stdout, stderr bytes.Buffer
	run := exec.CommandContext(ctx, binary, args...)
	run.Dir, run.Stdout, run.Stderr = scratch, &stdout, &stderr
	run.WaitDelay = time.Second // for children that keep the output open
	err := run.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		err = fmt.Errorf("still running after %v: %w", programLimit, err)
	case p.ends == "":
	case !errors.As(err, &exit) || exit.String() != p.ends:
		err = fmt.Errorf("it ended with %v, want %s", err, p.ends)
	default:
		err = nil
	}
	if err != nil {
		return fmt.Errorf("%w\nstdout:\n%s\nstderr:\n%s", err, &stdout, &stderr)
	}
	if got, want := trimBlanks(stdout.String()), trimBlanks(p.output); p.checked && got != want {
		return fmt.Errorf("the program prints\n%s\nbut the document says\n%s", got, want)
	}
	return nil
}

// trimBlanks removes what nobody sees: blanks at the ends of lines, and empty
// lines at the end.
func trimBlanks(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, strings.TrimRight(line, " \t\r\n"))
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

func TestPrograms(t *testing.T) {
	list, problems := programs([]block{
		{"d.md", 1, "output", "", ""},
		{"d.md", 2, "go", "", "package main\n"},
		{"d.md", 3, "output", "ended by SIGINT", "x"},
		{"d.md", 4, "go", "", "package other\n"},
		{"d.md", 5, "go", "", "x := 1\n"},
		{"d.md", 6, "sh", "", "ls\n"},
		{"d.md", 7, "go", "", "package main\n"},
		{"d.md", 8, "output", "badly", ""},
	})
	expect(t, problems, "d.md:1: output without", "d.md:4: not a complete", "d.md:5: not a complete", "d.md:8: no program ends")
	if len(list) != 4 || !list[0].checked || list[0].output != "x" || list[0].ends != "signal: interrupt" || list[1].checked {
		t.Errorf("got %+v", list)
	}
}

func TestRunProgram(t *testing.T) {
	module := scratchModule(t, rootDir(t))
	const hello = "package main\n\nfunc main() { print() }\n"
	const dies = "package main\n\nimport \"syscall\"\n\nfunc main() { syscall.Kill(syscall.Getpid(), syscall.SIGINT); select {} }\n"
	for _, test := range []struct {
		name, text, output, problem string
	}{
		{"silent", hello, "", ""},
		{"dies", dies, "", "signal: interrupt"},
		{"wrong output", hello, "hello", "but the document says"},
		{"exit status", "package main\n\nfunc main() { panic(1) }\n", "", "exit status 2"},
		{"does not build", "package main\n\nfunc main() { x }\n", "", "go build"},
		{"internal", "package main\n\nimport _ \"" + modulePath + "/internal/policy\"\n\nfunc main() {}\n", "", "internal"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := program{block: block{text: test.text}, checked: true, output: test.output}
			if test.text == dies { // as it is to
				p.ends = endings["ended by SIGINT"]
				if err := runProgram(t.Context(), module, t.TempDir(), p); err != nil {
					t.Error(err)
				}
				p.ends = ""
			}
			err := runProgram(t.Context(), module, t.TempDir(), p)
			if (err == nil) != (test.problem == "") || err != nil && !strings.Contains(err.Error(), test.problem) {
				t.Errorf("got %v, want %q", err, test.problem)
			}
		})
	}
}
