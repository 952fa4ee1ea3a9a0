package main

import (
	"bufio"
	"io"
	"strings"

	"github.com/curio-go/curio/internal/quote"
)

// A column is the head of a column of a table.
type column struct {
	title string
	right bool // numbers, which end where the column ends
}

// writeTable writes rows under their heads, in columns as wide as what they have. If width is not 0, lines are cut to it.
func writeTable(w io.Writer, columns []column, rows [][]string, width int) error {
	widths := make([]int, len(columns))
	for i, c := range columns {
		widths[i] = quote.Width(c.title)
		for _, row := range rows {
			widths[i] = max(widths[i], quote.Width(row[i]))
		}
	}
	out := bufio.NewWriter(w)
	line := func(cells []string) {
		var b strings.Builder
		for i, cell := range cells {
			if i > 0 {
				b.WriteString("  ")
			}
			if columns[i].right {
				b.WriteString(padLeft(cell, widths[i]))
			} else {
				b.WriteString(pad(cell, widths[i]))
			}
		}
		writeLine(out, strings.TrimRight(b.String(), " "), width)
	}
	head := make([]string, len(columns))
	for i, c := range columns {
		head[i] = c.title
	}
	line(head)
	for _, row := range rows {
		line(row)
	}
	return out.Flush()
}

// writeLine writes a line, cut to width if that is not 0. An error comes back from Flush.
func writeLine(out *bufio.Writer, line string, width int) {
	if width > 0 {
		line = cut(line, width)
	}
	_, _ = out.WriteString(line)
	_ = out.WriteByte('\n')
}
