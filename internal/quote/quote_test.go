package quote_test

import (
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/curio-go/curio/internal/quote"
)

func TestText(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"", ""},
		{"main/worker (3)", "main/worker (3)"},
		{"größer, 任务, 😀", "größer, 任务, 😀"},
		{"\x1b[31mred\a", `\x1b[31mred\x07`},
		{"two\r\nlines\tand a tab", `two\r\nlines\tand a tab`},
		{"\u009b31m", `\u009b31m`},                 // the 8-bit form of ESC [
		{"\x9b31m", `\x9b31m`},                     // and as a byte
		{"\u202etxt.exe", `\u202etxt.exe`},         // right to left
		{"a\u2066b\u2069", `a\u2066b\u2069`},       // isolates
		{"a\u200fb\u061c", `a\u200fb\u061c`},       // marks of direction
		{"a\u2028b\u2029c", `a\u2028b\u2029c`},     // separators of lines
		{"a\u00a0b\u3000c", `a\u00a0b\u3000c`},     // spaces
		{"a\u200bb\ufeff", `a\u200bb\ufeff`},       // no width
		{"a\u3164b\u115f", `a\u3164b\u115f`},       // letters that are blank
		{"a\ufe0f\U000e0041", `a\ufe0f\U000e0041`}, // variation selectors, tags
		{`C:\x1b`, `C:\\x1b`},
		{"e\u0301", "e\u0301"},
		{"\u0301e", `\u0301e`}, // it would go to what stands before
		{"\ufffd", "\ufffd"},
		{"\x7f\xff", `\x7f\xff`},
	} {
		if got := quote.Text(c.in, 0); got != c.want {
			t.Errorf("%+q: got %s, want %s", c.in, got, c.want)
		}
	}
}

func TestTextIsCut(t *testing.T) {
	for _, c := range []struct {
		in      string
		columns int
		want    string
	}{
		{"hello", 5, "hello"},
		{"hello", 4, "hel…"},
		{"hello", 1, "…"},
		{"任务任务", 8, "任务任务"},
		{"任务任务", 7, "任务任…"},
		{"任务任务", 6, "任务…"},
		{"a\x1bb", 6, `a\x1bb`},
		{"a\x1bb", 5, `a…`}, // no half of an escape
		{strings.Repeat("a", 5) + strings.Repeat("\u0301", 3), 5, strings.Repeat("a", 5) + strings.Repeat("\u0301", 3)},
	} {
		got := quote.Text(c.in, c.columns)
		if got != c.want || quote.Width(got) > c.columns {
			t.Errorf("%+q in %d columns: got %q, which takes %d", c.in, c.columns, got, quote.Width(got))
		}
	}
	if got := quote.Cell("任务", 6) + "|"; got != "任务  |" {
		t.Errorf("got %q", got)
	}
}

func TestLines(t *testing.T) {
	const stack = "main.f(0x1)\n\t/a/b.go:3 +0x1\nmain.\x1b[2J\n"
	if got, want := quote.Lines(stack, 10, 0), "main.f(0x1)\n\t/a/b.go:3 +0x1\nmain.\\x1b[2J\n"; got != want {
		t.Errorf("got %q", got)
	}
	if got, want := quote.Lines(stack, 1, 6), "main.…\n… 2 more lines\n"; got != want {
		t.Errorf("got %q", got)
	}
}

// Whatever comes in, what goes out is one line of characters that can be seen, no wider than allowed; and if it is not
// cut, what came in can be had back.
func FuzzText(f *testing.F) {
	for _, s := range []string{"worker", "\x1b]0;title\a", "\u202eabc", "\x80\xff\\", "任务\u0301", "a\u00ad\u2066"} {
		f.Add(s, 10)
	}
	f.Fuzz(func(t *testing.T, s string, columns int) {
		got := quote.Text(s, columns)
		if columns >= 1 && quote.Width(got) > columns {
			t.Errorf("%q takes %d columns", got, quote.Width(got))
		}
		if !utf8.ValidString(got) {
			t.Errorf("%q is not UTF-8", got)
		}
		for _, r := range got {
			if !unicode.IsPrint(r) || unicode.In(r, unicode.Bidi_Control, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
				t.Errorf("%q has %U in it", got, r)
			}
		}
		whole := quote.Text(s, 0)
		back, err := strconv.Unquote(`"` + strings.ReplaceAll(whole, `"`, `\"`) + `"`)
		if err != nil || back != s {
			t.Errorf("%q came back as %q, %v", s, back, err)
		}
	})
}

type word string

func (word) String() string { panic("called") }

type failure struct{ Inner error }

func (*failure) Error() string { panic("called") }

func TestValue(t *testing.T) {
	for _, c := range []struct {
		v    any
		want string
	}{
		{nil, "<nil>"},
		{"key", "key"},
		{word("key"), "key"},
		{-3, "-3"},
		{uint8(3), "3"},
		{1.5, "1.5"},
		{float32(0.1), "0.1"},
		{true, "true"},
		{struct{ F *failure }{}, "a struct { F *quote_test.failure }"},
		{[1]word{"key"}, "a [1]quote_test.word"},
		{failure{}, "a quote_test.failure"},
		{(*failure)(nil), "a *quote_test.failure 0x0"},
	} {
		if got := quote.Value(c.v); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
	if got := quote.Value(&failure{}); !strings.HasPrefix(got, "a *quote_test.failure 0x") {
		t.Errorf("got %s", got)
	}
}
