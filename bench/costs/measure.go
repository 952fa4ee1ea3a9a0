package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// root is the import path of the package whose benchmarks are in ".".
const root = "github.com/curio-go/curio"

// importPath names a package so that it is found from any directory of this module.
func importPath(pkg string) string { return path.Join(root, pkg) }

// A workshop has the compiled benchmarks.
type workshop struct {
	directory string
	binaries  map[string]binary // by package
}

type binary struct {
	path string
	dir  string // the package's: tests may read files there
	err  error  // why there is none
}

// build compiles the benchmarks of every package that the tables need. The rows of a package that
// cannot be compiled have the reason in place of figures.
func (w *workshop) build(ctx context.Context, all []table) error {
	for _, t := range all {
		for _, pkg := range t.packages() {
			if _, ok := w.binaries[pkg]; ok {
				continue
			}
			say("compiling the benchmarks of %s", importPath(pkg))
			b := w.compile(ctx, pkg)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if b.err != nil {
				say("%v", b.err)
			}
			w.binaries[pkg] = b
		}
	}
	return nil
}

func (w *workshop) compile(ctx context.Context, pkg string) binary {
	b := binary{path: filepath.Join(w.directory, strings.ReplaceAll(pkg, "/", "-")+".test")}
	output, err := exec.CommandContext(ctx, "go", "list", "-f", "{{.Dir}}", importPath(pkg)).CombinedOutput()
	if err == nil {
		b.dir = strings.TrimSpace(string(output))
		output, err = exec.CommandContext(ctx, "go", "test", "-c", "-o", b.path, importPath(pkg)).CombinedOutput()
	}
	if err != nil {
		b.err = fmt.Errorf("%s: %w: %s", importPath(pkg), err, bytes.TrimSpace(output))
	}
	return b
}

// A sample is the figures of one run of a benchmark, by unit.
type sample map[string]float64

// errSkipped is the error of a benchmark that skips itself, for something that it needs.
var errSkipped = errors.New("skipped")

// patience is how long a sample may take.
const patience = 5 * time.Minute

// sample runs a benchmark once.
func (w *workshop) sample(ctx context.Context, s side, benchtime, env string) (sample, error) {
	b := w.binaries[s.pkg]
	if b.err != nil {
		return nil, b.err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	command := exec.CommandContext(ctx, b.path,
		"-test.run", "^$", "-test.bench", s.pattern(), "-test.benchtime", benchtime, "-test.benchmem", "-test.timeout", patience.String())
	command.Dir = b.dir
	command.WaitDelay = time.Second // should a child of it hold on to its output
	if env != "" {
		command.Env = append(os.Environ(), env)
	}
	output, err := command.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", s.name, err, lastLine(output))
	}
	return read(output, s)
}

// read finds the figures in what a benchmark has printed.
func read(output []byte, s side) (sample, error) {
	var found sample
	lines := bufio.NewScanner(bytes.NewReader(output))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "--- SKIP: ") {
			why := ""
			if lines.Scan() {
				why = strings.TrimSpace(lines.Text())
			}
			return nil, fmt.Errorf("%w: %s", errSkipped, why)
		}
		figures, ok := figuresOf(lines.Text())
		if !ok {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("%s is more than one benchmark", s.name)
		}
		found = figures
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if found == nil {
		return nil, fmt.Errorf("there is no benchmark %s in %s", s.name, importPath(s.pkg))
	}
	if _, ok := found[s.unit]; !ok {
		return nil, fmt.Errorf("%s has no %s", s.name, s.unit)
	}
	return found, nil
}

// figuresOf reads a line such as
//
//	BenchmarkSleep/impl=time-2   1000   1234 ns/op   16 B/op   1 allocs/op
func figuresOf(line string) (sample, bool) {
	fields := strings.Fields(line)
	if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
		return nil, false
	}
	if _, err := strconv.Atoi(fields[1]); err != nil {
		return nil, false
	}
	found := sample{}
	for i := 2; i+1 < len(fields); i += 2 {
		value, err := strconv.ParseFloat(fields[i], 64)
		if err != nil {
			return nil, false
		}
		found[fields[i+1]] = value
	}
	return found, true
}

func lastLine(output []byte) string {
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	return lines[len(lines)-1]
}

// A result is what the rounds of one row came to.
type result struct {
	row
	ours, other, ratio   []float64
	allocs, othersAllocs []float64
	failure              error
}

// measure measures a table, round by round, and returns it in Markdown.
func (w *workshop) measure(ctx context.Context, t table, o options) (string, error) {
	rounds, benchtime := o.rounds, o.benchtime.String()
	if t.rounds > 0 {
		rounds = min(rounds, t.rounds)
	}
	if t.time != "" {
		benchtime = t.time
	}
	var all []*result
	for _, s := range t.sections {
		for _, r := range s.rows {
			all = append(all, &result{row: r})
		}
	}
	began, load := time.Now(), loadAverage()
	for round := range rounds {
		for _, r := range all {
			if r.failure == nil {
				r.failure = w.turn(ctx, r, round%2 == 1, benchtime, t.env)
			}
			if ctx.Err() != nil {
				return "", ctx.Err()
			}
			if r.failure != nil && round == 0 {
				say("%s: %v", r.what, r.failure)
			}
		}
		say("%s: round %d of %d, after %v", t.name, round+1, rounds, time.Since(began).Round(time.Second))
	}
	head := headOf(rounds, benchtime, load)
	return head + markdown(t, all), nil
}

// turn takes one sample of each side, the second one first if that is wanted.
func (w *workshop) turn(ctx context.Context, r *result, reversed bool, benchtime, env string) error {
	sides := r.sides()
	samples := make([]sample, len(sides))
	for i := range sides {
		if reversed {
			i = len(sides) - 1 - i
		}
		var err error
		if samples[i], err = w.sample(ctx, sides[i], benchtime, env); err != nil {
			return err
		}
	}
	ours := samples[0][sides[0].unit]
	r.ours = append(r.ours, ours)
	r.allocs = append(r.allocs, samples[0]["allocs/op"])
	if len(sides) == 2 {
		other := samples[1][sides[1].unit]
		r.other = append(r.other, other)
		r.othersAllocs = append(r.othersAllocs, samples[1]["allocs/op"])
		r.ratio = append(r.ratio, ours/other)
	}
	return nil
}
