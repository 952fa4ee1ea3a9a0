package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/curio-go/curio/internal/quote"
)

func TestShort(t *testing.T) {
	for seconds, want := range map[float64]string{
		0: "0.0s", 0.04: "0.0s", 3.25: "3.2s", 9.94: "9.9s", 9.96: "10s", 99.4: "99s", 99.6: "1m39s", 3599.9: "59m59s", 3600: "1h00m",
		359999: "99h59m", 360000: "4d", 1e300: "11574d", -1.5: "-1.5s",
	} {
		if got := short(seconds); got != want || seconds >= 0 && len(got) > 6 {
			t.Errorf("%v: got %s, want %s", seconds, got, want)
		}
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		in      string
		columns int
		want    string
	}{
		{"hello", 5, "hello"},
		{"hello", 4, "hel…"},
		{"hello", 1, "…"},
		{"hello", 0, ""},
		{"hello", -1, ""},
		{"", 0, ""},
		{"任务任务", 8, "任务任务"},
		{"任务任务", 7, "任务任…"},
		{"任务任务", 6, "任务…"},
		{`a\x1b`, 5, `a\x1b`},
	} {
		if got := cut(c.in, c.columns); got != c.want {
			t.Errorf("%q to %d columns: got %q, want %q", c.in, c.columns, got, c.want)
		}
	}
}

// Whatever the width, no line is wider, and no character is lost.
func FuzzWrap(f *testing.F) {
	for _, s := range append(hostile, "\tmain.go:3 +0x1") {
		f.Add(s, 10)
	}
	f.Fuzz(func(t *testing.T, s string, columns int) {
		columns = max(2, min(columns, 500)) // wide characters take two
		s = clean(s)
		var joined strings.Builder
		for i, line := range wrap(s, columns) {
			if quote.Width(line) > columns {
				t.Errorf("%q is wider than %d", line, columns)
			}
			if i > 0 && columns > 20 {
				line = strings.TrimPrefix(line, "    ")
			}
			joined.WriteString(line)
		}
		if joined.String() != s {
			t.Errorf("%q came out as %q", s, joined.String())
		}
		if got := pad(s, columns); quote.Width(got) != columns {
			t.Errorf("padded to %d columns it takes %d: %q", columns, quote.Width(got), got)
		}
	})
}

func TestEscapeJSON(t *testing.T) {
	for _, s := range append(hostile, "\U000E0041tag", "\ufffd", "\x7f\u00ad") {
		text, err := json.Marshal(map[string]string{"name": s})
		if err != nil {
			t.Fatal(err)
		}
		var want, got map[string]string
		escaped := escapeJSON(text)
		isHarmless(t, string(escaped))
		if json.Unmarshal(text, &want) != nil || json.Unmarshal(escaped, &got) != nil || got["name"] != want["name"] {
			t.Errorf("%q came out as %q", want["name"], got["name"])
		}
	}
}
