//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
)

// TestBench runs all of it, shortly, with a good and two bad servers.
func TestBench(t *testing.T) {
	needGo(t)
	if cpus, err := allowedCPUs(); err != nil || len(cpus) < 2 {
		t.Skipf("the server and its client need a CPU each: there are %d, %v", len(cpus), err)
	}
	o, err := parse(strings.Fields("-only gonet -cells 4x64 -rounds 3 -secs 0.1 -warmup 0.05 -noise 100"), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	o.servers = append(o.servers, testServer("serve"), testServer("serve-wrongly"), server{name: "broken", command: []string{"false"}})
	b, err := newBench(t.Context(), o, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r := b.run(t.Context())
	if len(r.Cells) != 2 {
		t.Fatalf("%d cells for two modes", len(r.Cells))
	}
	for _, c := range r.Cells {
		for _, row := range c.Rows {
			switch row.Server {
			case "gonet", "serve":
				if row.Failed > 0 || row.Samples != 3 || row.Rate == nil || row.RateRatio == nil || row.CPU == nil || row.RSS == nil {
					t.Errorf("%s %s: %+v", c.Mode, row.Server, row)
				}
			case "serve-wrongly":
				if row.Failed != maxFailures || row.Samples != maxFailures || !strings.Contains(row.Why, "4 wrong echoes") {
					t.Errorf("%s %s: %+v", c.Mode, row.Server, row)
				}
			case "broken":
				if row.Failed != maxFailures || !strings.Contains(row.Why, "exit status 1") {
					t.Errorf("%s %s: %+v", c.Mode, row.Server, row)
				}
			}
		}
	}

	var text bytes.Buffer
	if err := r.write(&text); err != nil {
		t.Fatal(err)
	}
	var read report
	if err := json.Unmarshal(text.Bytes(), &read); err != nil {
		t.Fatal(err)
	}
	if len(read.Cells) != 2 || len(read.Cells[0].Rounds) != 3 || read.Cells[0].Rounds[0]["gonet"].Messages == 0 {
		t.Errorf("read back: %+v", read)
	}
}

func TestBenchNeedsItsReference(t *testing.T) {
	needGo(t)
	o := options{ref: "nothing", cells: []cell{{1, 1}}, servers: []server{{name: "nothing"}}, cpus: []int{0, 1}}
	if _, err := newBench(t.Context(), o, t.TempDir()); err == nil || !strings.Contains(err.Error(), "building servers/nothing") {
		t.Errorf("got %v", err)
	}
}
