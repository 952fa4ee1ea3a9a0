//go:build linux

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/curio-go/curio/bench/internal/tables"
)

// options are the command line.
type options struct {
	servers []server
	ref     string // the name of the one that ratios are to
	cells   []cell
	modes   []string
	cpus    []int // the two to use; none: the first two allowed
	rounds  int
	seconds float64
	warmup  float64
	noise   float64 // CPUs used by other processes from which a sample is noisy
	json    string
	set     string           // "" or one of sets
	python  string           // the interpreter for the servers in Python
	venv    string           // the directory of a virtual environment, whose interpreter is used instead
	write   tables.Documents // where the table goes, in addition to standard output
}

// A cell is a number of connections and the bytes in a message.
type cell struct {
	Connections int `json:"connections"`
	Size        int `json:"size"`
}

func (c cell) String() string { return fmt.Sprintf("%dx%d", c.Connections, c.Size) }

const (
	defaultOnly  = "gonet,netpoll,curio"
	defaultCells = "1x64,64x64,1000x64,10000x64,64x16384"
	defaultRef   = "gonet"
)

// sets are comparisons that are repeated under one name: for each, the flags that have
// another default than usual.
var sets = map[string]map[string]string{
	// A Python program has one processor, so the others have no more.
	"python": {
		"only":  "curio,asyncio-streams,asyncio-protocol,trio,python-curio",
		"cells": "1x64,64x64,1000x64",
		"mode":  "1cpu",
	},
}

// tableName is what the place of the table is called in a document.
func (o *options) tableName() string {
	if o.set == "" {
		return "echo"
	}
	return "echo-" + o.set
}

// parse reads the command line.
func parse(arguments []string, complaints io.Writer) (options, error) {
	var o options
	var only, cells, modes, cpus string
	var extra []server
	flags := flag.NewFlagSet("echo", flag.ContinueOnError)
	flags.SetOutput(complaints)
	flags.StringVar(&only, "only", defaultOnly, "`names` of the servers to run, with commas")
	flags.StringVar(&o.ref, "ref", defaultRef, "`name` of the server that ratios are to")
	flags.Func("extra", "one more server, as `NAME=COMMAND`: run as COMMAND PORT, without a shell; may be repeated", func(text string) error {
		s, err := foreign(text)
		extra = append(extra, s)
		return err
	})
	flags.StringVar(&cells, "cells", defaultCells, "`CONNECTIONSxBYTES`,...")
	flags.StringVar(&modes, "mode", "1cpu,2cpu", "`modes`: 1cpu (a CPU each for server and load), 2cpu (two for both)")
	flags.StringVar(&cpus, "cpus", "", "the two `CPUs` to use, as 0,1 (the first two allowed)")
	flags.IntVar(&o.rounds, "rounds", 5, "samples of each server in each cell")
	flags.Float64Var(&o.seconds, "secs", 2, "length of a sample in `seconds`")
	flags.Float64Var(&o.warmup, "warmup", 0.5, "`seconds` of load before it")
	flags.Float64Var(&o.noise, "noise", 0.15, "`CPUs` used by other processes that make a sample noisy")
	flags.StringVar(&o.json, "json", "", "write every sample and the summary to this `file`")
	flags.StringVar(&o.set, "set", "", "the `name` of a comparison, which has defaults of its own: "+strings.Join(slices.Sorted(maps.Keys(sets)), ", "))
	flags.StringVar(&o.python, "python", "python3", "the `interpreter` for the servers in Python")
	flags.StringVar(&o.venv, "venv", "", "make a virtual environment in this `directory`, install there what the servers in Python need, and use its interpreter")
	flags.Var(&o.write, "write", "put the tables into this `document`, too; may be repeated")
	if err := flags.Parse(arguments); err != nil {
		return options{}, err
	}
	if err := useSet(flags, o.set); err != nil {
		return options{}, err
	}
	if flags.NArg() > 0 {
		return options{}, fmt.Errorf("no argument is wanted, not %q", flags.Arg(0))
	}
	var err error
	if o.servers, err = choose(only, o.ref, extra); err != nil {
		return options{}, err
	}
	if o.cells, err = parseCells(cells); err != nil {
		return options{}, err
	}
	o.modes = strings.Split(modes, ",")
	if o.cpus, err = parseCPUs(cpus); err != nil {
		return options{}, err
	}
	return o, o.check()
}

// useSet gives the flags that were not given the values that they have in the set.
func useSet(flags *flag.FlagSet, name string) error {
	set, ok := sets[name]
	if !ok && name != "" {
		return fmt.Errorf("-set: there is no comparison %q", name)
	}
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	for name, value := range set {
		if !given[name] {
			if err := flags.Set(name, value); err != nil {
				return err
			}
		}
	}
	return nil
}

// check refuses what is out of bounds.
func (o *options) check() error {
	for _, m := range o.modes {
		if m != "1cpu" && m != "2cpu" {
			return fmt.Errorf("-mode: %q is neither 1cpu nor 2cpu", m)
		}
	}
	switch {
	case o.rounds < 1 || o.rounds > 1000:
		return errors.New("-rounds: between 1 and 1000")
	case o.seconds <= 0 || o.seconds > 600:
		return errors.New("-secs: more than 0, and at most 600")
	case o.warmup < 0 || o.warmup > 600:
		return errors.New("-warmup: at least 0, and at most 600")
	}
	return nil
}

func parseCells(list string) ([]cell, error) {
	var cells []cell
	for text := range strings.SplitSeq(list, ",") {
		before, after, _ := strings.Cut(text, "x")
		connections, err1 := strconv.Atoi(before)
		size, err2 := strconv.Atoi(after)
		if err1 != nil || err2 != nil || connections < 1 || size < 1 {
			return nil, fmt.Errorf("-cells: %q is not CONNECTIONSxBYTES", text)
		}
		cells = append(cells, cell{connections, size})
	}
	return cells, nil
}

func parseCPUs(list string) ([]int, error) {
	if list == "" {
		return nil, nil
	}
	var cpus []int
	for text := range strings.SplitSeq(list, ",") {
		cpu, err := strconv.Atoi(text)
		if err != nil || cpu < 0 {
			return nil, fmt.Errorf("%q is not a CPU", text)
		}
		cpus = append(cpus, cpu)
	}
	return cpus, nil
}
