package policy_test

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the API lists in api/")

// TestAPI holds the public surface to the lists in api/, so that every change
// of it is a difference that somebody reads before it is committed.
func TestAPI(t *testing.T) {
	root := rootDir(t)
	current := map[string]string{}
	for dir, pkg := range loadPublic(t, root) {
		var list strings.Builder
		for _, line := range apiLines(pkg) {
			list.WriteString(line + "\n")
		}
		current[apiFile(dir)] = list.String()
	}
	recorded := readLists(t, root)
	if *update {
		writeLists(t, root, current, recorded)
		return
	}
	names := maps.Clone(current)
	maps.Copy(names, recorded)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		_, listed := recorded[name]
		_, exists := current[name]
		// A package that exports nothing has a list all the same: an empty one.
		if diff := diffLines(recorded[name], current[name]); diff != "" || listed != exists {
			t.Errorf("%s differs from the code (- recorded, + code):\n%s"+
				"if that is meant: go test ./internal/policy -run API -update", name, diff)
		}
	}
}

// apiFile is the list of a package, relative to the root.
func apiFile(dir string) string {
	if dir == "." {
		dir = path.Base(modulePath)
	}
	return "api/" + strings.ReplaceAll(dir, "/", "_") + ".txt"
}

// loadPublic type-checks nothing: it reads the export data that the build
// has in its cache anyway, which takes a fraction of a second. The system is
// pinned so that the lists do not depend on whose machine writes them.
func loadPublic(t *testing.T, root string) map[string]*types.Package {
	t.Helper()
	args := []string{"list", "-export", "-deps", "-f", "{{.ImportPath}}\t{{.Export}}"}
	dirs := slices.Sorted(maps.Keys(publicPackages(t)))
	if len(dirs) == 0 {
		t.Fatal("the module has no public package")
	}
	for _, dir := range dirs {
		args = append(args, "./"+dir)
	}
	list := exec.CommandContext(t.Context(), "go", args...)
	list.Dir = root
	list.Env = append(os.Environ(), "GOWORK=off", "GOOS=linux", "GOARCH=amd64")
	var stderr bytes.Buffer
	list.Stderr = &stderr
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.Bytes())
	}
	exports := map[string]string{}
	for line := range strings.Lines(string(out)) {
		importPath, file, _ := strings.Cut(strings.TrimSpace(line), "\t")
		exports[importPath] = file
	}
	gc := importer.ForCompiler(token.NewFileSet(), "gc", func(importPath string) (io.ReadCloser, error) {
		return os.Open(exports[importPath])
	})
	packages := map[string]*types.Package{}
	for _, dir := range dirs {
		pkg, err := gc.Import(path.Join(modulePath, dir))
		if err != nil {
			t.Fatal(err)
		}
		packages[dir] = pkg
	}
	return packages
}

func readLists(t *testing.T, root string) map[string]string {
	t.Helper()
	lists := map[string]string{}
	files, err := filepath.Glob(filepath.Join(root, "api", "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lists["api/"+filepath.Base(file)] = string(text)
	}
	return lists
}

// writeLists also removes the lists of packages that are gone.
func writeLists(t *testing.T, root string, current, recorded map[string]string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(root, "api"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range current {
		if err := os.WriteFile(filepath.Join(root, filepath.FromSlash(name)), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name := range recorded {
		if _, ok := current[name]; ok {
			continue
		}
		if err := os.Remove(filepath.Join(root, filepath.FromSlash(name))); err != nil {
			t.Fatal(err)
		}
	}
}

// diffLines needs no alignment of the two texts: each line names what it
// declares, so no line occurs twice and order carries no meaning.
func diffLines(before, after string) string {
	was, is := lineSet(before), lineSet(after)
	var out strings.Builder
	for line := range strings.Lines(before) {
		if !is[line] {
			fmt.Fprintf(&out, "- %s", line)
		}
	}
	for line := range strings.Lines(after) {
		if !was[line] {
			fmt.Fprintf(&out, "+ %s", line)
		}
	}
	if out.Len() == 0 && before != after {
		return "(same lines in another order)\n"
	}
	return out.String()
}

func lineSet(text string) map[string]bool {
	set := map[string]bool{}
	for line := range strings.Lines(text) {
		set[line] = true
	}
	return set
}

func TestDiffLines(t *testing.T) {
	for _, test := range []struct{ before, after, want string }{
		{"a\nb\n", "a\nb\n", ""},
		{"a\nb\n", "a\nc\n", "- b\n+ c\n"},
		{"", "a\n", "+ a\n"},
		{"a\nb\n", "b\na\n", "(same lines in another order)\n"},
	} {
		if got := diffLines(test.before, test.after); got != test.want {
			t.Errorf("diffLines(%q, %q) = %q, want %q", test.before, test.after, got, test.want)
		}
	}
}

func TestAPILines(t *testing.T) {
	const text = `package p
const Limit Size = 3
const hidden = 1
type Size int
type inner struct{ Depth int; secret int }
func (*inner) Reset() {}
func (inner) peek() {}
type Box[T any] struct { inner; Value T; spare T }
func (b *Box[T]) Put(v T) (old T, err error) { return v, nil }
func (b Box[T]) Get() T { return b.Value }
type Keeper interface { Keep(n int) error; hide(); error }
type Number interface { ~int | ~string }
type Same = Box[int]
type Callback func(n int, rest ...string) bool
func Make[K comparable, V any](m map[K]V) *Box[V] { return nil }
func helper() {}
var ErrFull error
`
	want := []string{
		"const Limit Size = 3",
		"var ErrFull error",
		"func Make[K comparable, V any](m map[K]V) *Box[V]",
		"type Box[T any] struct",
		"field Box[T].Depth int",
		"field Box[T].Value T",
		"method (Box[T]) Get() T",
		"method (*Box[T]) Put(v T) (old T, err error)",
		"method (*Box[T]) Reset()",
		"type Callback func(n int, rest ...string) bool",
		"type Keeper interface { Keep(n int) error; unexported methods; error }",
		"type Number interface { ~int | ~string }",
		"type Same = Box[int]",
		"type Size int",
	}
	files := token.NewFileSet()
	tree, err := parser.ParseFile(files, "p.go", text, 0)
	if err != nil {
		t.Fatal(err)
	}
	pkg, err := new(types.Config).Check("p", files, []*ast.File{tree}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := apiLines(pkg); !slices.Equal(got, want) {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
