package policy_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const modulePath = "github.com/curio-go/curio"

// A source is one parsed Go file of the repository.
type source struct {
	name   string // slash-separated, relative to the repository's root
	nested bool   // belongs to a module of its own, such as bench
	files  *token.FileSet
	tree   *ast.File
}

// dir is the file's package, as a path relative to the root; "." is the root.
func (s *source) dir() string { return path.Dir(s.name) }

func (s *source) isTest() bool { return strings.HasSuffix(s.name, "_test.go") }

func (s *source) line(pos token.Pos) int { return s.files.Position(pos).Line }

// problem formats a finding the way compilers do, so that editors can jump to it.
func (s *source) problem(pos token.Pos, format string, args ...any) string {
	return fmt.Sprintf("%s:%d: %s", s.name, s.line(pos), fmt.Sprintf(format, args...))
}

func parseSource(name string, text []byte) (*source, error) {
	files := token.NewFileSet()
	tree, err := parser.ParseFile(files, name, text, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	return &source{name: name, files: files, tree: tree}, nil
}

// mustParse is for the self-tests, whose sources are written in the tests.
func mustParse(t *testing.T, name, text string) *source {
	t.Helper()
	s, err := parseSource(name, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// rootDir is where go.mod is: tests run in the directory of their package.
func rootDir(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	return root
}

// readTree parses every Go file of the repository, whatever its build
// constraints: "go list" would show one system's files, and a forbidden import
// in a file for macOS is forbidden all the same.
var readTree = sync.OnceValues(func() ([]*source, error) {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		return nil, err
	}
	var all []*source
	nested := map[string]bool{} // directories that are inside a nested module
	err = filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || file == root {
			return err
		}
		if entry.IsDir() {
			if name := entry.Name(); name == "testdata" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") {
				return fs.SkipDir
			}
			_, missing := os.Stat(filepath.Join(file, "go.mod"))
			nested[file] = missing == nil || nested[filepath.Dir(file)]
			return nil
		}
		if filepath.Ext(file) != ".go" {
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		s, err := parseSource(filepath.ToSlash(name), text)
		if err != nil {
			return err
		}
		s.nested = nested[filepath.Dir(file)]
		all = append(all, s)
		return nil
	})
	return all, err
})

// sources returns the files of the root module, and those of the nested ones
// too if withNested is set.
func sources(t *testing.T, withNested bool) []*source {
	t.Helper()
	all, err := readTree()
	if err != nil {
		t.Fatal(err)
	}
	var chosen []*source
	for _, s := range all {
		if withNested || !s.nested {
			chosen = append(chosen, s)
		}
	}
	return chosen
}

// isPublic reports whether others may import the package in dir: then its API
// is listed and its documentation complete.
func isPublic(dir string) bool {
	for part := range strings.SplitSeq(dir, "/") {
		if part == "internal" {
			return false
		}
	}
	top, _, _ := strings.Cut(dir, "/")
	return top != "examples" && top != "bench" && top != "cmd" && top != "tools" && top != "verify"
}

// publicPackages groups the non-test files of the public packages by directory.
func publicPackages(t *testing.T) map[string][]*source {
	t.Helper()
	packages := map[string][]*source{}
	for _, s := range sources(t, false) {
		if !s.isTest() && isPublic(s.dir()) {
			packages[s.dir()] = append(packages[s.dir()], s)
		}
	}
	return packages
}

// report fails the test once per problem.
func report(t *testing.T, problems []string) {
	t.Helper()
	for _, p := range problems {
		t.Error(p)
	}
}

// expect compares what a checker said with what a self-test wants it to say:
// one problem for each wanted text, in that order.
func expect(t *testing.T, problems []string, want ...string) {
	t.Helper()
	if len(problems) != len(want) {
		t.Fatalf("got %d problems, want %d:\n%s", len(problems), len(want), strings.Join(problems, "\n"))
	}
	for i, p := range problems {
		if !strings.Contains(p, want[i]) {
			t.Errorf("problem %q does not mention %q", p, want[i])
		}
	}
}
