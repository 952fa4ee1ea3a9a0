package tables

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestSpread(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   Spread
	}{
		{[]float64{3}, Spread{3, 3, 3}},
		{[]float64{3, 1}, Spread{2, 1, 3}},
		{[]float64{9, 1, 4}, Spread{4, 1, 9}},
		{[]float64{9, 1, 4, 6}, Spread{5, 1, 9}},
	} {
		before := slices.Clone(test.values)
		if got := SpreadOf(test.values); *got != test.want {
			t.Errorf("%v: got %v", test.values, *got)
		}
		if !slices.Equal(before, test.values) {
			t.Errorf("%v was changed", before)
		}
	}
	if SpreadOf(nil) != nil {
		t.Error("nothing has a spread")
	}
}

func TestFormat(t *testing.T) {
	s := &Spread{Median: 2000, Min: 1000, Max: 3500}
	if got := s.Format(1000, 1); got != "2.0 [1.0–3.5]" {
		t.Errorf("got %q", got)
	}
	if got := s.FormatMedian(1, 0); got != "2000" {
		t.Errorf("got %q", got)
	}
	s = nil
	if s.Format(1, 0) != "-" || s.FormatMedian(1, 0) != "-" {
		t.Error("nothing is not a dash")
	}
}

func TestAlign(t *testing.T) {
	got := Align([][]string{{"what", "ns"}, {"µ", "12345"}}, func(column int) bool { return column == 1 })
	want := "| what |    ns |\n|------|------:|\n| µ    | 12345 |\n"
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func document(t *testing.T, text string) (d Documents, read func() string) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "d.md")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Documents{name}, func() string {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
}

func TestReplace(t *testing.T) {
	d, read := document(t, "before\n<!-- begin table: a -->\nold\n<!-- end table: a -->\nbetween\n<!-- begin table: b -->\n<!-- end table: b -->\n")
	if err := d.Check("a", "b", "elsewhere"); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time there is something to replace
		for _, name := range []string{"a", "b", "elsewhere"} {
			if err := d.Replace(name, "| "+name+" |\n"); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := "before\n<!-- begin table: a -->\n\n| a |\n\n<!-- end table: a -->\nbetween\n<!-- begin table: b -->\n\n| b |\n\n<!-- end table: b -->\n"
	if got := read(); got != want {
		t.Errorf("got\n%s", got)
	}
}

func TestDocumentsErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                                    "no place for a table",
		"a text":                              "no place for a table",
		"not alone <!-- begin table: a -->\n": "no place for a table",
		"<!-- begin table: a -->":             "has no end",
		"<!-- begin table: a -->\n<!-- end table: b -->\n":                    "has no end",
		"<!-- end table: a -->\n<!-- begin table: a -->\nthe wrong way round": "has no end",
	} {
		d, read := document(t, text)
		if err := d.Check("a"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: Check returns %v, want %q", text, err, want)
		}
		_ = d.Replace("a", "table")
		if got := read(); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
	if err := (Documents{filepath.Join(t.TempDir(), "missing")}).Check("a"); err == nil {
		t.Error("no error for a document that does not exist")
	}
	var d Documents
	if err := d.Set(""); err == nil {
		t.Error("no error for a document without a name")
	}
	if err := d.Set("x"); err != nil || d.String() != "x" {
		t.Errorf("got %v, %v", d, err)
	}
}
