package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"strings"

	"github.com/curio-go/curio/bench/internal/tables"
)

// headOf says where and how a table was measured.
func headOf(rounds int, benchtime, load string) string {
	if strings.HasSuffix(benchtime, "x") {
		benchtime = "one run"
	}
	plural := "s"
	if rounds == 1 {
		plural = ""
	}
	head := fmt.Sprintf("%s, %s/%s, %d processors; %d round%s of %s", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), rounds, plural, benchtime)
	if load != "" {
		head += "; load average before: " + load
	}
	return head + ".\n\n"
}

// loadAverage is how many processes wanted a processor in the last minute, as in /proc/loadavg,
// and "" on systems other than Linux. A reader should know whether the machine had other things to do.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	load, _, _ := strings.Cut(string(text), " ")
	return load
}

// markdown returns the table: a part for each section.
func markdown(t table, all []*result) string {
	var text strings.Builder
	failures := 0
	for _, s := range t.sections {
		results := all[:len(s.rows)]
		all = all[len(s.rows):]
		if len(t.sections) > 1 {
			fmt.Fprintf(&text, "### %s\n\n", s.title)
		}
		lines := [][]string{{"what", t.sides[0], t.sides[1], "beside", "ratio", "allocations", "benchmark"}}
		for _, r := range results {
			lines = append(lines, r.line())
		}
		if t.short {
			for i := range lines {
				lines[i] = lines[i][:5]
			}
		}
		text.WriteString(tables.Align(lines, func(column int) bool { return column == 1 || column == 3 || column == 4 || column == 5 }))
		text.WriteString("\n")
		for _, r := range results {
			if r.failure != nil {
				fmt.Fprintf(&text, "- %s: %s\n", r.what, firstLine(r.failure.Error()))
				failures++
			}
		}
		if failures > 0 {
			text.WriteString("\n")
			failures = 0
		}
	}
	return strings.TrimRight(text.String(), "\n") + "\n"
}

// line is the row of the table.
func (r *result) line() []string {
	sides := r.sides()
	name := "`" + r.bench + "`"
	if r.pkg != "." {
		name = r.pkg + ": " + name
	} else {
		name = "curio: " + name
	}
	if r.unit != "" {
		name += " " + r.unit
	}
	line := []string{r.what, "-", r.than, "-", "-", "-", name}
	switch {
	case errors.Is(r.failure, errSkipped):
		line[1] = "not there"
	case r.failure != nil:
		line[1] = "failed"
	}
	if len(r.ours) == 0 {
		return line
	}
	line[1] = format(tables.SpreadOf(r.ours).Median, sides[0].unit)
	line[5] = count(r.allocs)
	if len(r.other) > 0 {
		line[3] = format(tables.SpreadOf(r.other).Median, sides[1].unit)
		line[4] = tables.SpreadOf(r.ratio).Format(1, 2)
		line[5] += ", " + count(r.othersAllocs)
	}
	if !strings.HasSuffix(sides[0].unit, "/op") {
		line[5] = "" // they are of an operation that is not this figure's
	}
	return line
}

func count(values []float64) string { return fmt.Sprintf("%.0f", tables.SpreadOf(values).Median) }

// format gives a figure with three digits, in a unit that suits it.
func format(value float64, unit string) string {
	steps := []struct {
		of   float64
		name string
	}{{1, "ns"}, {1e3, "µs"}, {1e6, "ms"}, {1e9, "s"}}
	if strings.HasPrefix(unit, "B/") {
		steps = steps[:0:0]
		for i, name := range []string{"B", "KB", "MB", "GB"} {
			steps = append(steps, struct {
				of   float64
				name string
			}{math.Pow(1000, float64(i)), name})
		}
	}
	best := steps[0]
	for _, step := range steps {
		if value >= step.of {
			best = step
		}
	}
	value /= best.of
	decimals := 0
	if value < 100 && value != math.Trunc(value) {
		decimals = 1
	}
	if value < 10 && value != math.Trunc(value) {
		decimals = 2
	}
	return fmt.Sprintf("%.*f %s", decimals, value, best.name)
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
