package main

import (
	"fmt"
	"slices"
	"strings"
)

// A table is what one place of a document holds.
type table struct {
	name     string
	rounds   int    // at most; 0 for as many as the command line says
	time     string // of a sample, as -benchtime has it; "" for what the command line says
	env      string // one variable for the benchmarks, as NAME=VALUE
	sides    [2]string
	short    bool // without allocations and the names of benchmarks, and measured only if asked for
	sections []section
}

// A section is a part of a table with a heading.
type section struct {
	title string
	rows  []row
}

// A row compares two benchmarks: ours, and what one would otherwise write. Where they differ
// in their names, or in the unit that counts, both are in braces: {ours,other}. A row without
// braces has a figure of ours alone.
type row struct {
	what  string
	pkg   string // below the root of the repository; "." for package curio
	bench string // without "Benchmark", each part as a regular expression: a dot for what is no letter
	unit  string // "" for ns/op
	than  string // what the other one is
}

// expand returns text with each {a,b} replaced by a, and by b. both is false if there is none.
func expand(text string) (first, second string, both bool) {
	before, rest, found := strings.Cut(text, "{")
	if !found {
		return text, text, false
	}
	choice, after, _ := strings.Cut(rest, "}")
	one, other, _ := strings.Cut(choice, ",")
	first, second, _ = expand(after)
	return before + one + first, before + other + second, true
}

// sides returns the two benchmarks of a row, or one.
func (r row) sides() []side {
	name1, name2, differ := expand(r.bench)
	unit1, unit2, otherwise := expand(r.unit)
	one := side{r.pkg, name1, unitOr(unit1)}
	if !differ && !otherwise {
		return []side{one}
	}
	return []side{one, {r.pkg, name2, unitOr(unit2)}}
}

func unitOr(unit string) string {
	if unit == "" {
		return "ns/op"
	}
	return unit
}

// A side is one benchmark, and which of its figures counts.
type side struct{ pkg, name, unit string }

// pattern is what -bench is given for it: it matches one benchmark alone.
func (s side) pattern() string {
	parts := strings.Split("Benchmark"+s.name, "/")
	for i, part := range parts {
		parts[i] = "^" + part + "$"
	}
	return strings.Join(parts, "/")
}

// place is what the place of the table is called in a document.
func (t table) place() string { return "costs-" + t.name }

// packages returns which packages the table's benchmarks are in.
func (t table) packages() []string {
	var all []string
	for _, s := range t.sections {
		for _, r := range s.rows {
			if !slices.Contains(all, r.pkg) {
				all = append(all, r.pkg)
			}
		}
	}
	return all
}

// only returns the table with the rows in which one of the words occurs.
func (t table) only(words []string) table {
	var kept []section
	for _, s := range t.sections {
		s.rows = slices.DeleteFunc(slices.Clone(s.rows), func(r row) bool {
			text := strings.ToLower(strings.Join([]string{s.title, r.what, r.pkg, r.bench, r.than}, " "))
			return !slices.ContainsFunc(words, func(word string) bool { return strings.Contains(text, word) })
		})
		if len(s.rows) > 0 {
			kept = append(kept, s)
		}
	}
	t.sections = kept
	return t
}

// commands returns the commands that run the benchmarks of each row.
func (t table) commands() string {
	var text strings.Builder
	for _, s := range t.sections {
		for _, r := range s.rows {
			fmt.Fprintf(&text, "# %s\n", r.what)
			for _, side := range r.sides() {
				if t.env != "" {
					fmt.Fprintf(&text, "%s ", t.env)
				}
				fmt.Fprintf(&text, "go test -run '^$' -bench '%s' %s\n", side.pattern(), importPath(side.pkg))
			}
		}
	}
	return text.String()
}

func tableNames() []string {
	var names []string
	for _, t := range all() {
		names = append(names, t.name)
	}
	return names
}

// pick returns rows of the other tables, by what they are about: the first one of each.
func pick(whats ...string) []row {
	var picked []row
next:
	for _, what := range whats {
		for _, s := range []section{tasks, limits, locks, events, queues, selects, threads, sockets, files, programs, workers, switches, looks, memory} {
			for _, r := range s.rows {
				if r.what == what {
					picked = append(picked, r)
					continue next
				}
			}
		}
		panic("there is no row about " + what)
	}
	return picked
}

func tableOf(name string) (t table, ok bool) {
	for _, t := range all() {
		if t.name == name {
			return t, true
		}
	}
	return table{}, false
}
