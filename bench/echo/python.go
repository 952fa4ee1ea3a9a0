//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/curio-go/curio/bench/servers/python"
)

// pythons runs the servers in Python: it has their scripts, and knows the interpreter once it
// was asked for the first of them.
type pythons struct {
	directory   string // of the scripts
	interpreter string
	problem     error             // why there is no interpreter
	versions    map[string]string // what the modules say that they are
}

// command returns how a script is run, or why it cannot be.
func (p *pythons) command(ctx context.Context, o options, s python.Server) ([]string, error) {
	if p.versions == nil {
		p.versions = map[string]string{}
		p.interpreter, p.problem = p.prepare(ctx, o)
	}
	if p.problem != nil {
		return nil, p.problem
	}
	version, err := p.version(ctx, s.Module)
	if err != nil {
		return nil, err
	}
	p.versions[s.Module] = version
	line := []string{p.interpreter, filepath.Join(p.directory, s.Script)}
	if s.Argument != "" {
		line = append(line, s.Argument)
	}
	return line, nil
}

// prepare writes the scripts and returns the interpreter.
func (p *pythons) prepare(ctx context.Context, o options) (interpreter string, err error) {
	if err := os.MkdirAll(p.directory, 0o755); err != nil {
		return "", err
	}
	if err := python.WriteTo(p.directory); err != nil {
		return "", err
	}
	interpreter, err = exec.LookPath(o.python)
	if err != nil || o.venv == "" {
		return interpreter, err
	}
	environment, err := filepath.Abs(o.venv)
	if err != nil {
		return "", err
	}
	ours := filepath.Join(environment, "bin", "python")
	if _, err := os.Stat(ours); errors.Is(err, os.ErrNotExist) {
		say("making a virtual environment in %s", environment)
		if _, err := p.run(ctx, interpreter, "-m", "venv", environment); err != nil {
			return "", err
		}
	}
	for _, requirement := range python.Requirements() {
		// One by one, as one that cannot be had should not keep the others out. Whether its
		// server can run is found out later.
		if _, err := p.run(ctx, ours, "-m", "pip", "install", "--quiet", requirement); err != nil {
			say("%s was not installed: %v", requirement, err)
		}
	}
	return ours, nil
}

// versionScript imports a module and prints the versions of Python and of the module, which
// has none if it came with Python.
const versionScript = `
import importlib, sys
module = importlib.import_module(sys.argv[1])
print(sys.version.split()[0], getattr(module, "__version__", ""))
`

// version returns the versions of Python and of a module, as "3.13.5 0.30.0".
func (p *pythons) version(ctx context.Context, module string) (string, error) {
	return p.run(ctx, p.interpreter, "-c", versionScript, module)
}

// run runs a command among the scripts, where there is no directory that could be imported
// by mistake, and returns what it says. The error has the last line of its complaints.
func (p *pythons) run(ctx context.Context, line ...string) (said string, err error) {
	command := exec.CommandContext(ctx, line[0], line[1:]...)
	command.Dir = p.directory
	var complaints bytes.Buffer
	command.Stderr = &complaints
	output, err := command.Output()
	if err != nil {
		lines := strings.Split(strings.TrimSpace(complaints.String()), "\n")
		return "", fmt.Errorf("%w: %s", err, lines[len(lines)-1])
	}
	return strings.TrimSpace(string(output)), nil
}

// notes says which Python and which modules the figures are of.
func (p *pythons) notes() []string {
	var named []string
	interpreter := ""
	for _, module := range slices.Sorted(maps.Keys(p.versions)) {
		version, own, _ := strings.Cut(p.versions[module], " ")
		interpreter = version
		if own != "" {
			named = append(named, module+" "+own)
		}
	}
	if interpreter == "" {
		return nil
	}
	return []string{strings.Join(append([]string{"Python " + interpreter}, named...), ", ")}
}
