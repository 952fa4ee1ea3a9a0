//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
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
		servers: b.servers,
	}
}

// add sums up a cell.
func (r *report) add(m mode, c cell, rounds []round) {
	added := cellReport{Mode: m.name, cell: c, Rounds: rounds}
	for _, s := range r.servers {
		added.Rows = append(added.Rows, summarise(rounds, s.name, r.Ref))
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
	return text.String()
}

func (r *report) table(cells []cellReport) string {
	lines := [][]string{{
		"connections × bytes", "server", "msg/s", "÷ " + r.Ref, "CPU µs/msg", "÷ " + r.Ref, "p99 µs", "RSS MiB", "noisy",
	}}
	for _, c := range cells {
		for _, row := range c.Rows {
			lines = append(lines, []string{
				fmt.Sprintf("%d × %d", c.Connections, c.Size), row.Server,
				row.Rate.format(1, 0), row.RateRatio.format(1, 2), row.CPU.median(1, 2), row.CPURatio.format(1, 2),
				row.P99.median(1, 0), row.RSS.median(1024, 1), fmt.Sprintf("%d/%d", row.Noisy, row.Samples),
			})
		}
	}
	return align(lines)
}

// format gives the median and, in brackets, the range.
func (s *spread) format(unit float64, decimals int) string {
	if s == nil {
		return "-"
	}
	return fmt.Sprintf("%.*f [%.*f–%.*f]", decimals, s.Median/unit, decimals, s.Min/unit, decimals, s.Max/unit)
}

func (s *spread) median(unit float64, decimals int) string {
	if s == nil {
		return "-"
	}
	return fmt.Sprintf("%.*f", decimals, s.Median/unit)
}

// align makes a Markdown table that can also be read as it is: names to the
// left, figures to the right.
func align(lines [][]string) string {
	widths := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, field := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(field))
		}
	}
	const names = 2 // columns that are no figures
	var text strings.Builder
	for number, line := range lines {
		for i, field := range line {
			padding := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(field))
			if i < names {
				fmt.Fprintf(&text, "| %s%s ", field, padding)
			} else {
				fmt.Fprintf(&text, "| %s%s ", padding, field)
			}
		}
		text.WriteString("|\n")
		if number > 0 {
			continue
		}
		for i, width := range widths {
			end := "-"
			if i >= names {
				end = ":"
			}
			text.WriteString("|" + strings.Repeat("-", width+1) + end)
		}
		text.WriteString("|\n")
	}
	return text.String()
}
