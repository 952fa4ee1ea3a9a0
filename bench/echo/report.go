//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/curio-go/curio/bench/internal/tables"
)

// A report is all that was measured, and where.
type report struct {
	Began   time.Time    `json:"began"`
	Go      string       `json:"go"`
	Kernel  string       `json:"kernel"`
	Machine string       `json:"machine"`
	Ref     string       `json:"ref"`
	Rounds  int          `json:"rounds"`
	Seconds float64      `json:"seconds"`
	Warmup  float64      `json:"warmup"`
	Notes   []string     `json:"notes,omitempty"` // what runs the servers
	Cells   []cellReport `json:"cells"`

	servers []server
}

type cellReport struct {
	Mode string `json:"mode"`
	cell
	Rows   []row   `json:"rows"`
	Rounds []round `json:"rounds"`
}

func newReport(b *bench) *report {
	var name unix.Utsname
	_ = unix.Uname(&name) // without it, the kernel goes unnamed
	return &report{
		Began: time.Now(), Go: runtime.Version(), Kernel: unix.ByteSliceToString(name.Release[:]),
		Machine: fmt.Sprintf("%s, %d CPUs", runtime.GOARCH, runtime.NumCPU()),
		Ref:     b.options.ref, Rounds: b.options.rounds, Seconds: b.options.seconds, Warmup: b.options.warmup,
		Notes: b.notes, servers: b.servers,
	}
}

// add sums up a cell.
func (r *report) add(m mode, c cell, rounds []round) {
	added := cellReport{Mode: m.name, cell: c, Rounds: rounds}
	for _, s := range r.servers {
		row := summarise(rounds, s.name, r.Ref)
		row.Missing = s.missing
		added.Rows = append(added.Rows, row)
	}
	r.Cells = append(r.Cells, added)
}

// write writes all of it as JSON.
func (r *report) write(to io.Writer) error {
	encoder := json.NewEncoder(to)
	encoder.SetIndent("", "\t")
	return encoder.Encode(r)
}

// markdown returns a table for each mode.
func (r *report) markdown() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s, Linux %s, %s; %d rounds of %g s\n", r.Go, r.Kernel, r.Machine, r.Rounds, r.Seconds)
	for _, note := range r.Notes {
		fmt.Fprintf(&text, "\n%s\n", note)
	}
	for start := 0; start < len(r.Cells); {
		end := start
		for end < len(r.Cells) && r.Cells[end].Mode == r.Cells[start].Mode {
			end++
		}
		fmt.Fprintf(&text, "\n### %s\n\n%s", r.Cells[start].Mode, r.table(r.Cells[start:end]))
		start = end
	}
	for _, c := range r.Cells {
		for _, row := range c.Rows {
			if row.Why != "" {
				fmt.Fprintf(&text, "\n%s %v %s: %d of %d samples failed: %s\n", c.Mode, c.cell, row.Server, row.Failed, row.Samples, row.Why)
			}
		}
	}
	for _, s := range r.servers {
		if s.missing != "" {
			fmt.Fprintf(&text, "\n%s is not there: %s\n", s.name, s.missing)
		}
	}
	return text.String()
}

func (r *report) table(cells []cellReport) string {
	lines := [][]string{{
		"connections × bytes", "server", "msg/s", "÷ " + r.Ref, "CPU µs/msg", "÷ " + r.Ref, "p99 µs", "RSS MiB", "noisy",
	}}
	for _, c := range cells {
		for _, row := range c.Rows {
			rate := row.Rate.Format(1, 0)
			if row.Missing != "" {
				rate = "not there"
			}
			lines = append(lines, []string{
				fmt.Sprintf("%d × %d", c.Connections, c.Size), row.Server,
				rate, row.RateRatio.Format(1, 2), row.CPU.FormatMedian(1, 2), row.CPURatio.Format(1, 2),
				row.P99.FormatMedian(1, 0), row.RSS.FormatMedian(1024, 1), fmt.Sprintf("%d/%d", row.Noisy, row.Samples),
			})
		}
	}
	return tables.Align(lines, func(column int) bool { return column >= 2 })
}
