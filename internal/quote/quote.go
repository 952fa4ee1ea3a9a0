// Package quote makes text from elsewhere fit to be shown: names of tasks, errors, what a program says of its objects.
// They may come from a user or from the network, and have in them what makes a terminal do things, hides text, or shows
// it in another order.
//
// What is shown as it is are the letters, digits, marks, punctuation and symbols of all scripts, and the space. All else
// becomes an escape sequence of Go: control characters, also the ones above 0x7f that some terminals obey, and bytes that
// are not UTF-8; the controls of bidirectional text; spaces of other widths, line separators, and letters and marks that
// cannot be seen. A backslash is doubled, so that no two texts look the same.
package quote

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text returns s quoted, as one line of at most columns columns. If it is cut, it ends with "…". columns below 1 stands
// for no limit. Text that is fit to be shown and short enough is returned as it is.
func Text(s string, columns int) string {
	if isPlain(s) && (columns < 1 || len(s) <= columns) {
		return s
	}
	var b strings.Builder
	used, fits := 0, 0 // columns in b, and the length of b that leaves room for "…"
	marks := mostMarks // in a row: one at the beginning would go to what stands before it
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		piece := s[i : i+size]
		i += size
		width := runeWidth(r)
		if width == 0 {
			marks++
		} else {
			marks = 0
		}
		if !isShown(r, size) || marks > mostMarks {
			piece = escape(r, size, piece)
			width = len(piece)
		}
		if columns >= 1 && used+width > columns {
			return b.String()[:fits] + "…"
		}
		b.WriteString(piece)
		used += width
		if used < columns {
			fits = b.Len()
		}
	}
	return b.String()
}

// Lines quotes each line of s, such as a stack, and returns the first most of them. Tabs at the beginning of a line stay.
// A last line says how many are left out. Each line ends with "\n".
func Lines(s string, most, columns int) string {
	var b strings.Builder
	n := 0
	for line := range strings.SplitSeq(strings.TrimSuffix(s, "\n"), "\n") {
		if n++; n > most {
			continue
		}
		rest := strings.TrimLeft(line, "\t")
		b.WriteString(line[:len(line)-len(rest)])
		b.WriteString(Text(rest, columns))
		b.WriteByte('\n')
	}
	if n > most {
		b.WriteString("… " + strconv.Itoa(n-most) + " more lines\n")
	}
	return b.String()
}

// Cell is Text, with spaces after it up to the given columns.
func Cell(s string, columns int) string {
	s = Text(s, columns)
	return s + strings.Repeat(" ", max(0, columns-Width(s)))
}

// Width returns how many columns a terminal takes to show s, which must be quoted.
func Width(s string) (columns int) {
	for _, r := range s {
		columns += runeWidth(r)
	}
	return columns
}

// mostMarks is how many marks, such as accents, one character can have. They take no columns, so a limit in columns would
// let in any number of them.
const mostMarks = 3

func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' || s[i] == '\\' {
			return false
		}
	}
	return true
}

// isShown reports whether r, which is size bytes long, is shown as it is.
func isShown(r rune, size int) bool {
	switch {
	case r < utf8.RuneSelf:
		return r >= ' ' && r <= '~' && r != '\\'
	case r == utf8.RuneError:
		return size > 1 // it stands there itself
	}
	return unicode.IsPrint(r) && !unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) && r != '\u2800'
}

func escape(r rune, size int, piece string) string {
	if r == utf8.RuneError && size == 1 {
		return `\x` + hex(rune(piece[0]), 2)
	}
	switch r {
	case '\\':
		return `\\`
	case '\n':
		return `\n`
	case '\r':
		return `\r`
	case '\t':
		return `\t`
	}
	switch {
	case r < utf8.RuneSelf:
		return `\x` + hex(r, 2)
	case r < 0x10000:
		return `\u` + hex(r, 4)
	default:
		return `\U` + hex(r, 8)
	}
}

func hex(r rune, digits int) string {
	s := strconv.FormatInt(int64(r), 16)
	return strings.Repeat("0", digits-len(s)) + s
}

// wide are the characters that take two columns, as far as terminals agree on them.
var wide = &unicode.RangeTable{
	R16: []unicode.Range16{
		{0x1100, 0x115f, 1},
		{0x231a, 0x231b, 1},
		{0x2329, 0x232a, 1},
		{0x23e9, 0x23ec, 1},
		{0x2e80, 0x303e, 1},
		{0x3041, 0x4dbf, 1},
		{0x4e00, 0xa4cf, 1},
		{0xa960, 0xa97c, 1},
		{0xac00, 0xd7a3, 1},
		{0xf900, 0xfaff, 1},
		{0xfe30, 0xfe6f, 1},
		{0xff00, 0xff60, 1},
		{0xffe0, 0xffe6, 1},
	},
	R32: []unicode.Range32{
		{0x16fe0, 0x18aff, 1},
		{0x1b000, 0x1b2ff, 1},
		{0x1f300, 0x1f64f, 1},
		{0x1f680, 0x1f6ff, 1},
		{0x1f900, 0x1faff, 1},
		{0x20000, 0x3fffd, 1},
	},
}

func runeWidth(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case unicode.Is(wide, r):
		return 2
	}
	return 1
}
