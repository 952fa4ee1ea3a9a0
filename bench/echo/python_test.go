//go:build linux

package main

import (
	"io"
	"os"
	"strings"
	"testing"

	"github.com/curio-go/curio/bench/internal/tables"
	"github.com/curio-go/curio/bench/servers/python"
	"github.com/curio-go/curio/internal/testutil"
)

func TestParseSet(t *testing.T) {
	o, err := parse(strings.Fields("-set python -cells 3x5"), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if len(o.servers) != 6 || o.servers[0].name != "gonet" || o.servers[1].name != "curio" {
		t.Errorf("servers %v", o.servers)
	}
	if len(o.modes) != 1 || o.modes[0] != "1cpu" {
		t.Errorf("modes %v", o.modes)
	}
	if len(o.cells) != 1 || o.cells[0] != (cell{3, 5}) {
		t.Errorf("cells %v: what was given should count", o.cells)
	}
	if o.tableName() != "echo-python" {
		t.Errorf("its table is called %s", o.tableName())
	}
	if _, err := parse(strings.Fields("-set nothing"), io.Discard); err == nil || !strings.Contains(err.Error(), "no comparison") {
		t.Errorf("a set that does not exist: %v", err)
	}
}

// TestPythonServers runs those for which there is what they need. The others must be in the
// table, with the reason.
func TestPythonServers(t *testing.T) {
	testutil.Need(t, "python3")
	needGo(t)
	if cpus, err := allowedCPUs(); err != nil || len(cpus) < 2 {
		t.Skipf("the server and its client need a CPU each: there are %d, %v", len(cpus), err)
	}
	// A slow machine needs a moment for the first message, of which there has to be one.
	r := shortly(t, "-set python -cells 4x64 -rounds 1 -secs 0.5 -warmup 0.05 -noise 100")
	for _, row := range r.Cells[0].Rows {
		script, isPython := python.Servers[row.Server]
		switch {
		case row.Missing == "":
			if row.Failed > 0 || row.Samples != 1 || row.Rate == nil {
				t.Errorf("%+v", row)
			}
		case !isPython || script.Module == "asyncio" || !strings.Contains(row.Missing, script.Module):
			t.Errorf("%s is not there: %s", row.Server, row.Missing)
		default:
			t.Logf("%s was not run: %s", row.Server, row.Missing)
		}
	}
	if text := r.markdown(); !strings.Contains(text, "\nPython 3.") {
		t.Errorf("no version of Python in\n%s", text)
	}
}

func TestWithoutPython(t *testing.T) {
	needGo(t)
	if cpus, err := allowedCPUs(); err != nil || len(cpus) < 2 {
		t.Skipf("the server and its client need a CPU each: there are %d, %v", len(cpus), err)
	}
	r := shortly(t, "-set python -only trio -cells 4x64 -rounds 1 -secs 0.1 -warmup 0.05 -noise 100 -python /nonexistent/python")
	name := t.TempDir() + "/d.md"
	d := tables.Documents{name}
	if err := os.WriteFile(name, []byte("<!-- begin table: echo-python -->\n<!-- end table: echo-python -->\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.Replace("echo-python", r.markdown()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| 4 × 64              | gonet  |", "| trio   |", "not there |", "\ntrio is not there: ", "/nonexistent/python"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// shortly runs what the arguments ask for.
func shortly(t *testing.T, arguments string) *report {
	t.Helper()
	o, err := parse(strings.Fields(arguments), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	b, err := newBench(t.Context(), o, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return b.run(t.Context())
}
