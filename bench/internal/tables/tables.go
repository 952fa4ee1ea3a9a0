// Package tables has what the runners of this module share: medians, tables in
// Markdown, and how a table gets into a document.
package tables

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// A Spread is what several samples have in common.
type Spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// SpreadOf returns the spread of values, or nil if there are none.
func SpreadOf(values []float64) *Spread {
	if len(values) == 0 {
		return nil
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	median := sorted[middle]
	if len(sorted)%2 == 0 {
		median = (sorted[middle-1] + sorted[middle]) / 2
	}
	return &Spread{Median: median, Min: sorted[0], Max: sorted[len(sorted)-1]}
}

// Format returns the median and, in brackets, the range, in units. Without samples it is "-".
func (s *Spread) Format(unit float64, decimals int) string {
	if s == nil {
		return "-"
	}
	return fmt.Sprintf("%.*f [%.*f–%.*f]", decimals, s.Median/unit, decimals, s.Min/unit, decimals, s.Max/unit)
}

// FormatMedian returns the median alone.
func (s *Spread) FormatMedian(unit float64, decimals int) string {
	if s == nil {
		return "-"
	}
	return fmt.Sprintf("%.*f", decimals, s.Median/unit)
}

// Align returns a table in Markdown that can also be read as it is. The first line is the
// header. A column is aligned to the right if right has it.
func Align(lines [][]string, right func(column int) bool) string {
	widths := make([]int, len(lines[0]))
	for _, line := range lines {
		for i, field := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(field))
		}
	}
	var text strings.Builder
	for number, line := range lines {
		for i, field := range line {
			padding := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(field))
			if right(i) {
				fmt.Fprintf(&text, "| %s%s ", padding, field)
			} else {
				fmt.Fprintf(&text, "| %s%s ", field, padding)
			}
		}
		text.WriteString("|\n")
		if number > 0 {
			continue
		}
		for i, width := range widths {
			end := "-"
			if right(i) {
				end = ":"
			}
			text.WriteString("|" + strings.Repeat("-", width+1) + end)
		}
		text.WriteString("|\n")
	}
	return text.String()
}
