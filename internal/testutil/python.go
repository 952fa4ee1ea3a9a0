package testutil

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"testing"
)

// A Python is an interpreter that is installed here.
type Python struct {
	Path  string
	Minor int // the 12 of version 3.12
}

// Pythons returns the interpreters of Python 3, one of each minor version, the oldest first: from PATH and
// from pyenv. It skips the test if there is none. Like Need it has to be the first call in a test.
func Pythons(t testing.TB) []Python {
	t.Helper()
	found := pythons()
	if len(found) == 0 {
		t.Skip("python3 is not installed here")
	}
	for _, p := range found {
		needed.Store(t.Name()+" "+p.Path, true)
	}
	return found
}

var pythonVersion = regexp.MustCompile(`^Python 3\.(\d+)\.`)

var pythons = sync.OnceValue(func() []Python {
	var paths []string
	add := func(pattern string) {
		more, _ := filepath.Glob(pattern) // an error is one of the pattern
		paths = append(paths, more...)
	}
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if filepath.Base(dir) == "shims" {
			continue // of pyenv: scripts, of which most refuse to run
		}
		add(filepath.Join(dir, "python3"))
		add(filepath.Join(dir, "python3.[0-9]"))
		add(filepath.Join(dir, "python3.[0-9][0-9]"))
	}
	root := os.Getenv("PYENV_ROOT")
	if home, err := os.UserHomeDir(); root == "" && err == nil {
		root = filepath.Join(home, ".pyenv")
	}
	add(filepath.Join(root, "versions", "3.*", "bin", "python3"))

	var found []Python
	seen := map[string]bool{}
	for _, path := range paths {
		real, err := filepath.EvalSymlinks(path)
		if err != nil || seen[real] {
			continue
		}
		seen[real] = true
		said, _ := exec.Command(path, "--version").Output()
		version := pythonVersion.FindSubmatch(said)
		if version == nil {
			continue
		}
		minor, _ := strconv.Atoi(string(version[1]))
		if !slices.ContainsFunc(found, func(p Python) bool { return p.Minor == minor }) {
			found = append(found, Python{path, minor})
		}
	}
	slices.SortFunc(found, func(a, b Python) int { return cmp.Compare(a.Minor, b.Minor) })
	return found
})
