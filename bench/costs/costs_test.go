package main

import (
	"bytes"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/curio-go/curio/bench/internal/tables"
)

func TestExpand(t *testing.T) {
	for _, test := range []struct {
		text, first, second string
		both                bool
	}{
		{"A/n=1", "A/n=1", "A/n=1", false},
		{"A/{x,y}", "A/x", "A/y", true},
		{"A/{x,y}/n=1", "A/x/n=1", "A/y/n=1", true},
		{"{A/x=1/z,B}", "A/x=1/z", "B", true},
		{"{a,b}-{c,d}", "a-c", "b-d", true},
	} {
		first, second, both := expand(test.text)
		if first != test.first || second != test.second || both != test.both {
			t.Errorf("%s: got %q, %q, %v", test.text, first, second, both)
		}
	}
}

func TestSides(t *testing.T) {
	r := row{pkg: "p", bench: "A/n=1/impl={a,b}"}
	if s := r.sides(); len(s) != 2 || s[0] != (side{"p", "A/n=1/impl=a", "ns/op"}) || s[1] != (side{"p", "A/n=1/impl=b", "ns/op"}) {
		t.Errorf("got %v", s)
	}
	r = row{pkg: "p", bench: "A", unit: "{a-ns,b-ns}"}
	if s := r.sides(); len(s) != 2 || s[0] != (side{"p", "A", "a-ns"}) || s[1] != (side{"p", "A", "b-ns"}) {
		t.Errorf("got %v", s)
	}
	r = row{pkg: "p", bench: "A", unit: "ns/task"}
	if s := r.sides(); len(s) != 1 || s[0] != (side{"p", "A", "ns/task"}) {
		t.Errorf("got %v", s)
	}
	if got := (side{name: "A/n=1"}).pattern(); got != "^BenchmarkA$/^n=1$" {
		t.Errorf("the pattern is %s", got)
	}
}

func TestRead(t *testing.T) {
	a := side{"p", "A", "ns/op"}
	const line = "BenchmarkA/x=1-2   \t 1000\t 12.5 ns/op\t 16 B/op\t 1 allocs/op\n"
	got, err := read([]byte("goos: linux\n"+line+"PASS\n"), a)
	if err != nil || got["ns/op"] != 12.5 || got["allocs/op"] != 1 {
		t.Errorf("got %v, %v", got, err)
	}
	for output, want := range map[string]string{
		"PASS\n":                        "there is no benchmark A",
		line + line:                     "more than one",
		"BenchmarkA-2 1000 12 B/each\n": "has no ns/op",
		"--- SKIP: BenchmarkA/x=1\n    a_test.go:1: no such disk\nPASS\n": "no such disk",
		"BenchmarkA-2 one 12 ns/op\n":                                     "there is no benchmark A",
	} {
		if _, err := read([]byte(output), a); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", output, err, want)
		}
	}
}

func TestFormatFigures(t *testing.T) {
	for _, test := range []struct {
		value float64
		unit  string
		want  string
	}{
		{0, "ns/op", "0 ns"},
		{2.345, "ns/op", "2.35 ns"},
		{23.45, "ns/op", "23.4 ns"},
		{570, "ns/op", "570 ns"},
		{1234, "ns/task", "1.23 µs"},
		{56_700_000, "worker-ns", "56.7 ms"},
		{3e9, "ns/op", "3 s"},
		{96, "B/each", "96 B"},
		{2650, "B/task", "2.65 KB"},
	} {
		if got := format(test.value, test.unit); got != test.want {
			t.Errorf("%v %s: got %q, want %q", test.value, test.unit, got, test.want)
		}
	}
}

func TestParse(t *testing.T) {
	o, err := parse(strings.Fields("-table primitives,memory -only queue -rounds 3 -benchtime 5ms"), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if len(o.tables) != 2 || o.rounds != 3 || o.benchtime != 5*time.Millisecond {
		t.Errorf("got %+v", o)
	}
	for _, chosen := range o.tables {
		for _, s := range chosen.sections {
			for _, r := range s.rows {
				if text := strings.ToLower(s.title + r.what + r.bench + r.than); !strings.Contains(text, "queue") {
					t.Errorf("%s is no row about queues", r.what)
				}
			}
		}
	}
	if o, err = parse(nil, io.Discard); err != nil || len(o.tables) != len(all())-1 {
		t.Errorf("without arguments: %d tables, %v", len(o.tables), err)
	}
	for _, test := range []struct{ arguments, want string }{
		{"argument", "no argument"},
		{"-table nothing", "no table"},
		{"-only xyzzy", "no row"},
		{"-rounds 0", "-rounds"},
		{"-benchtime 0s", "-benchtime"},
		{"-only queue -write d.md", "-write"},
		{"-unknown", "not defined"},
	} {
		if _, err := parse(strings.Fields(test.arguments), io.Discard); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: got %v, want %q", test.arguments, err, test.want)
		}
	}
}

// TestRowsNameBenchmarks finds the row of a benchmark that has got another name.
func TestRowsNameBenchmarks(t *testing.T) {
	names := map[string]map[string]bool{} // by package
	for _, chosen := range all() {
		for _, pkg := range chosen.packages() {
			if names[pkg] == nil {
				names[pkg] = benchmarksIn(t, filepath.Join("..", "..", filepath.FromSlash(pkg)))
			}
		}
		for _, s := range chosen.sections {
			for _, r := range s.rows {
				sides := r.sides()
				for _, side := range sides {
					name, _, _ := strings.Cut(side.name, "/")
					if !names[r.pkg]["Benchmark"+name] {
						t.Errorf("%s: there is no Benchmark%s in %s", r.what, name, importPath(r.pkg))
					}
				}
				if (len(sides) == 2) != (r.than != "") {
					t.Errorf("%s: what is it compared with?", r.what)
				}
			}
		}
	}
}

func benchmarksIn(t *testing.T, dir string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, name := range files {
		tree, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range tree.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil {
				found[f.Name.Name] = true
			}
		}
	}
	return found
}

// TestMeasure measures a few rows, shortly, and one that does not exist.
func TestMeasure(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: this test compiles benchmarks")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("there is no go command in PATH, with which the benchmarks are compiled")
	}
	document := filepath.Join(t.TempDir(), "d.md")
	if err := os.WriteFile(document, []byte("text\n<!-- begin table: costs-short -->\nold\n<!-- end table: costs-short -->\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	short := table{name: "short", sides: besideGo, sections: []section{
		{"a part", []row{
			{"a check", "bench/waits", "Check/impl={curio,context}", "", "`ctx.Err`"},
			{"a lock", "bench/waits", "Memory/what=lock/impl={curio,chan}", "B/each", "a channel"},
			{"nothing", "bench/waits", "Nothing", "", ""},
		}},
		{"another part", []row{{"missing", "bench/no/such/package", "A/{b,c}", "", "none"}}},
	}}
	var out bytes.Buffer
	o := options{tables: []table{short}, rounds: 2, benchtime: time.Millisecond, write: tables.Documents{document}}
	if err := measureAll(t.Context(), o, &out); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"text\n<!-- begin table: costs-short -->\n\ngo1.",
		" 2 rounds of 1ms",
		"### a part\n\n| what ", "### another part\n\n",
		"| a check ", "| `ctx.Err` ", " | bench/waits: `Check/impl={curio,context}` ",
		"| bench/waits: `Memory/what=lock/impl={curio,chan}` B/each |",
		"- nothing: there is no benchmark Nothing in github.com/curio-go/curio/bench/waits\n",
		"- missing: github.com/curio-go/curio/bench/no/such/package: ",
		" failed |",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(string(text), "old") || !strings.Contains(out.String(), "| a check ") {
		t.Errorf("the document is\n%s\nand the output\n%s", text, &out)
	}
}

func TestMarkdownOfSkipped(t *testing.T) {
	skipped := table{sides: besideGo, sections: []section{{"files", []row{{"read", "file", "Read/by={curio,os}", "", "package os"}}}}}
	r := &result{row: skipped.sections[0].rows[0], failure: errors.Join(errSkipped, errors.New("no disk"))}
	if got := markdown(skipped, []*result{r}); !strings.Contains(got, "| not there |") {
		t.Errorf("got\n%s", got)
	}
}

func TestShortTable(t *testing.T) {
	summary, ok := tableOf("summary")
	if !ok {
		t.Fatal("there is no such table")
	}
	var results []*result
	for _, r := range summary.sections[0].rows {
		results = append(results, &result{row: r, ours: []float64{3}, other: []float64{2}, ratio: []float64{1.5}, allocs: []float64{1}, othersAllocs: []float64{1}})
	}
	text := markdown(summary, results)
	if !strings.Contains(text, "| spawn a task, join it ") || strings.Contains(text, "SpawnJoin") || !strings.Contains(text, "| 1.50 [1.50–1.50] |\n") {
		t.Errorf("got\n%s", text)
	}
}

func TestList(t *testing.T) {
	chosen, ok := tableOf("million")
	if !ok {
		t.Fatal("there is no such table")
	}
	var out bytes.Buffer
	if err := measureAll(t.Context(), options{tables: []table{chosen}, list: true}, &out); err != nil {
		t.Fatal(err)
	}
	const want = "CURIO_BENCH_MOST=1000000 go test -run '^$' -bench '^BenchmarkGrowth$/^what=spawn_beside_siblings$/^n=1000000$' github.com/curio-go/curio/verify/core\n"
	if !strings.Contains(out.String(), want) {
		t.Errorf("no %q in\n%s", want, &out)
	}
}
