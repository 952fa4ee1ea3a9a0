package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m, main) }

// tree makes n folders of n files each, one with a match; a binary file; and a loop of links.
func tree(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	for i := range n {
		folder := filepath.Join(dir, fmt.Sprintf("%02d", i))
		for _, err := range []error{
			os.MkdirAll(filepath.Join(folder, ".git"), 0o755),
			os.WriteFile(filepath.Join(folder, ".git/x"), []byte("needle"), 0o644),
			os.WriteFile(filepath.Join(folder, "a"), []byte("hay\nhay needle\r\nneedle"), 0o644),
			os.WriteFile(filepath.Join(folder, "b"), []byte(strings.Repeat("hay\n", 1000)), 0o644),
			os.WriteFile(filepath.Join(folder, "c"), []byte("\x00needle"), 0o644),
			os.Symlink("..", filepath.Join(folder, "up")),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

func TestProgram(t *testing.T) {
	testutil.NoLeaks(t)
	dir := tree(t, 20)
	child := testutil.Self(t, "-j", "3", "nee+dle$", dir)
	var want strings.Builder
	for i := range 20 {
		fmt.Fprintf(&want, "%[1]s/%02[2]d/a:2:hay needle\n%[1]s/%02[2]d/a:3:needle\n%[1]s/%02[2]d/c: binary file matches\n", dir, i)
	}
	if printed, status := child.Rest(); printed != want.String() || status != 0 || child.Stderr() != "" {
		t.Errorf("it printed %q, complained %q and ended with status %d", printed, child.Stderr(), status)
	}
}

func TestStatus(t *testing.T) {
	testutil.NoLeaks(t)
	dir := tree(t, 1)
	for _, test := range []struct {
		args    []string
		status  int
		out, in string // the beginning of the output, and a part of the complaint
	}{
		{[]string{"nothing", dir}, 1, "", ""},
		{[]string{"needle", dir + "/00/a", dir + "/missing"}, 2, dir + "/00/a:2:", dir + "/missing: no such file"},
		{[]string{"hay", dir + "/00/a"}, 0, dir + "/00/a:1:hay\n", ""},
		{[]string{"(", dir}, 2, "", "missing closing )"},
		{nil, 2, "", "usage:"},
	} {
		child := testutil.Self(t, test.args...)
		printed, status := child.Rest()
		if status != test.status || !strings.HasPrefix(printed, test.out) || !strings.Contains(child.Stderr(), test.in) || test.in == "" && child.Stderr() != "" {
			t.Errorf("%q: it printed %q, complained %q and ended with status %d", test.args, printed, child.Stderr(), status)
		}
	}
}

// A FIFO that nobody writes to stands for a disk that does not answer.
func TestInterrupt(t *testing.T) {
	testutil.NoLeaks(t)
	dir := tree(t, 1)
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o644); err != nil {
		t.Fatal(err)
	}
	child := testutil.Self(t, "needle", dir, fifo)
	for range 3 {
		child.Line()
	}
	child.Interrupt()
	if printed, status := child.Rest(); printed != "" || status != -1 || child.Stderr() != "" {
		t.Errorf("it printed %q, complained %q and ended with status %d, not by the signal", printed, child.Stderr(), status)
	}
}
