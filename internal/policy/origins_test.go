package policy_test

import (
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
)

// The pages in docs/coming-from show the same programs of ours, each beside that of another library.
// Such a block has a name after the word "go", by which its copies are found.

// checkCopies returns which named Go blocks differ from the first one of that name, or are followed
// by another output.
func checkCopies(found []block) (problems []string) {
	type copied struct {
		text, output, place string
	}
	first := map[string]copied{}
	for i, b := range found {
		if b.language != "go" || b.info == "" || isFile(b) { // a file of a program changes as it grows
			continue
		}
		c := copied{text: b.text, place: fmt.Sprintf("%s:%d", b.file, b.line)}
		if i+1 < len(found) && found[i+1].language == "output" {
			c.output = found[i+1].text
		}
		switch was, ok := first[b.info]; {
		case !ok:
			first[b.info] = c
		case was.text != c.text:
			problems = append(problems, fmt.Sprintf("%s: %q is not the same program as in %s", c.place, b.info, was.place))
		case was.output != c.output:
			problems = append(problems, fmt.Sprintf("%s: %q has not the same output as in %s", c.place, b.info, was.place))
		}
	}
	return problems
}

// blocksOfAll returns the blocks of all documents, in order of their names.
func blocksOfAll(t *testing.T) (all []block) {
	t.Helper()
	found := documents(t, rootDir(t))
	for _, name := range slices.Sorted(maps.Keys(found)) {
		all = append(all, found[name]...)
	}
	return all
}

func TestCopiesInDocuments(t *testing.T) { report(t, checkCopies(blocksOfAll(t))) }

func TestCheckCopies(t *testing.T) {
	expect(t, checkCopies([]block{
		{"a.md", 1, "go", "echo", "x"},
		{"a.md", 2, "output", "", "1"},
		{"b.md", 1, "go", "echo", "x"},
		{"b.md", 2, "output", "", "1"},
		{"b.md", 3, "go", "echo", "y"},
		{"c.md", 1, "go", "echo", "x"},
		{"c.md", 2, "output", "", "2"},
		{"c.md", 3, "go", "", "z"},
		{"c.md", 4, "go", "other", "z"},
	}), "b.md:3: \"echo\" is not the same program as in a.md:1", "c.md:1: \"echo\" has not the same output")
}

// Blocks of Python need libraries to run. Here they are only parsed.
func TestPythonInDocuments(t *testing.T) {
	all := testutil.Pythons(t)
	python := all[len(all)-1]
	if python.Minor < 11 {
		t.Skipf("Python 3.%d does not know except*, which the documents use", python.Minor)
	}
	n := 0
	for _, b := range blocksOfAll(t) {
		if b.language != "python" {
			continue
		}
		n++
		parse := exec.CommandContext(t.Context(), python.Path, "-c", "import ast, sys; ast.parse(sys.stdin.read())")
		parse.Stdin = strings.NewReader(b.text)
		if out, err := parse.CombinedOutput(); err != nil {
			t.Errorf("%s:%d: %v\n%s", b.file, b.line, err, out)
		}
	}
	if n == 0 {
		t.Error("no document shows Python")
	}
}

func TestDistinct(t *testing.T) {
	echo := program{block: block{file: "a.md", text: "x"}, checked: true, output: "1"}
	copied := echo
	copied.file = "b.md"
	other := echo
	other.output = "2"
	if got := distinct([]program{echo, copied, other}); len(got) != 2 || got[0].file != "a.md" || got[1].output != "2" {
		t.Errorf("got %+v", got)
	}
}
