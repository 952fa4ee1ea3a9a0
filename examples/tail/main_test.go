package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m, main) }

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func add(t *testing.T, path string, lines ...string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	check(t, err)
	_, err = f.WriteString(strings.Join(lines, "\n") + "\n")
	check(t, err)
	check(t, f.Close())
}

func expect(t *testing.T, child *testutil.Child, lines ...string) {
	t.Helper()
	for _, want := range lines {
		if got := child.Line(); got != want {
			t.Fatalf("it printed %q, want %q", got, want)
		}
	}
}

// The log is rotated in each way in which that is done; no line is missing, and none comes twice.
func TestTail(t *testing.T) {
	for _, args := range [][]string{{"-n", "2"}, {"-n", "2", "-poll", "1ms"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			testutil.NoLeaks(t)
			path := t.TempDir() + "/log"
			add(t, path, "1", "2", "3")
			child := testutil.Self(t, append(args, path)...)
			expect(t, child, "2", "3")
			add(t, path, "4")
			expect(t, child, "4")

			// Renamed, and the program that writes finds out later.
			old, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
			check(t, err)
			defer old.Close()
			check(t, os.Rename(path, path+".1"))
			_, err = old.WriteString("5\n")
			check(t, err)
			add(t, path, "6", "7")
			expect(t, child, "5", "6", "7")

			// Replaced by a new file.
			long := strings.Repeat("8", 1000)
			add(t, path+".new", long)
			check(t, os.Rename(path+".new", path))
			expect(t, child, long)

			// Copied and truncated. What comes then is shorter, else nobody could tell.
			check(t, os.Truncate(path, 0))
			add(t, path, "9")
			expect(t, child, "9")
			for i := range 1000 {
				if i%100 == 50 {
					check(t, os.Rename(path, fmt.Sprint(path, ".", i)))
				}
				add(t, path, fmt.Sprint("line ", i))
				if i%100 == 49 { // two rotations at once would lose what is in between: tail follows a name
					for j := max(0, i-99); j <= i; j++ {
						expect(t, child, fmt.Sprint("line ", j))
					}
				}
			}
			for j := 950; j < 1000; j++ {
				expect(t, child, fmt.Sprint("line ", j))
			}
			child.Interrupt()
			if printed, status := child.Rest(); printed != "" || status != -1 {
				t.Errorf("then it printed %q, and ended with status %d", printed, status)
			}
		})
	}
}

func TestLastLines(t *testing.T) {
	for _, c := range []struct {
		text string
		n    int
		want string
	}{
		{"", 3, ""},
		{"a\n", 0, ""},
		{"a\n", 1, "a\n"},
		{"a\nb\n", 1, "b\n"},
		{"a\nb", 1, "b"},
		{"a\nb\nc\n", 2, "b\nc\n"},
		{"a\nb\nc\n", 5, "a\nb\nc\n"},
		{"\n\n\n", 2, "\n\n"},
		{strings.Repeat("x", blockSize-1) + "\nlast\n", 1, "last\n"},
		{"first\n" + strings.Repeat("x", 2*blockSize) + "\n", 1, strings.Repeat("x", 2*blockSize) + "\n"},
		{strings.Repeat("y\n", blockSize), blockSize - 1, strings.Repeat("y\n", blockSize-1)},
	} {
		at, err := lastLines(strings.NewReader(c.text), int64(len(c.text)), c.n)
		if err != nil || c.text[at:] != c.want {
			t.Errorf("the last %d of %.20q begin at %d, %v", c.n, c.text, at, err)
		}
	}
}

func TestBadInput(t *testing.T) {
	testutil.NoLeaks(t)
	dir := t.TempDir()
	for _, c := range []struct {
		args []string
		said string
		code int
	}{
		{[]string{dir + "/missing"}, "no such file or directory", 1},
		{[]string{dir}, "is not a regular file", 1},
		{[]string{}, "Usage", 2},
		{[]string{"-n", "-1", dir}, "Usage", 2},
	} {
		child := testutil.Self(t, c.args...)
		if printed, status := child.Rest(); printed != "" || status != c.code || !strings.Contains(child.Stderr(), c.said) {
			t.Errorf("%q: it printed %q, said %q and ended with status %d", c.args, printed, child.Stderr(), status)
		}
	}
}
