package main

import (
	"cmp"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/curio-go/curio/internal/quote"
)

// maxText is the number of columns at which a name, an object or an error is cut, whatever the width of the screen.
const maxText = 1000

// clean returns s as one line that does nothing to a terminal. Names, objects and errors go through it, whether they
// come from the monitor or from the command line.
func clean(s string) string { return quote.Text(s, maxText) }

// cut shortens s to the given number of columns. s is clean: cleaning it again would double its backslashes.
func cut(s string, columns int) string {
	if len(s) <= columns { // no character takes more columns than bytes
		return s
	}
	used, fits := 0, 0 // columns so far, and the length that leaves room for "…"
	for i, r := range s {
		used += quote.Width(string(r))
		if used > columns {
			if columns <= 0 {
				return ""
			}
			return s[:fits] + "…"
		}
		if used < columns {
			fits = i + utf8.RuneLen(r)
		}
	}
	return s
}

// pad makes s, which is clean, exactly as wide as columns says.
func pad(s string, columns int) string {
	s = cut(s, columns)
	return s + strings.Repeat(" ", max(0, columns-quote.Width(s)))
}

// padLeft is pad for numbers.
func padLeft(s string, columns int) string {
	s = cut(s, columns)
	return strings.Repeat(" ", max(0, columns-quote.Width(s))) + s
}

// longest is the end of what a time is shown as: some thirty years.
const longest = 1e9

// short shows seconds in six columns at most.
func short(seconds float64) string {
	if seconds < 0 {
		return "-" + short(-seconds)
	}
	whole := int64(min(seconds, longest))
	switch {
	case seconds < 9.95:
		return fmt.Sprintf("%.1fs", seconds)
	case seconds < 99.5:
		return fmt.Sprintf("%.0fs", seconds)
	case whole < 3600:
		return fmt.Sprintf("%dm%02ds", whole/60, whole%60)
	case whole < 100*3600:
		return fmt.Sprintf("%dh%02dm", whole/3600, whole%3600/60)
	}
	return fmt.Sprintf("%dd", whole/86400)
}

// shortOf is short for a time that may be missing.
func shortOf(seconds *float64) string {
	if seconds == nil {
		return "-"
	}
	return short(*seconds)
}

// plural returns the number with its noun.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprint(n) + " " + noun + "s"
}

// isUTF8 reports whether the terminal shows more than ASCII, by the environment variables for the
// locale.
func isUTF8(getenv func(string) string) bool {
	set := strings.ToLower(cmp.Or(getenv("LC_ALL"), getenv("LC_CTYPE"), getenv("LANG")))
	return strings.Contains(set, "utf-8") || strings.Contains(set, "utf8")
}
