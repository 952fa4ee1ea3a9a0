package policy_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A block is one fenced block of a Markdown document.
type block struct {
	file     string // slash-separated, relative to the root
	line     int    // of the opening fence
	language string
	info     string // what comes after that
	text     string
}

// blocks finds the fenced blocks of a document. Fences of backticks are the
// only ones we write.
func blocks(file, text string) []block {
	var found []block
	var fence string // the open block's, "" outside of one
	number := 0
	for line := range strings.Lines(text) {
		number++
		bare := strings.TrimSpace(line)
		ticks := bare[:len(bare)-len(strings.TrimLeft(bare, "`"))]
		switch {
		case fence == "" && len(ticks) >= 3:
			fence = ticks
			language, info, _ := strings.Cut(strings.TrimSpace(bare[len(ticks):]), " ")
			found = append(found, block{file: file, line: number, language: language, info: info})
		case fence != "" && bare == ticks && len(ticks) >= len(fence):
			fence = ""
		case fence != "":
			found[len(found)-1].text += line
		}
	}
	return found
}

// documents reads the blocks of every document whose programs must run.
// A README is not optional: it is what a newcomer tries first.
func documents(t *testing.T, root string) map[string][]block {
	t.Helper()
	names := []string{"README.md", "CONTRIBUTING.md"}
	docs := filepath.Join(root, "docs")
	if _, err := os.Stat(docs); err == nil {
		if err := filepath.WalkDir(docs, func(file string, _ os.DirEntry, err error) error {
			if err != nil || filepath.Ext(file) != ".md" {
				return err
			}
			name, err := filepath.Rel(root, file)
			names = append(names, filepath.ToSlash(name))
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	found := map[string][]block{}
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			t.Errorf("reading the documents: %v", err)
			continue
		}
		found[name] = blocks(name, string(text))
	}
	return found
}

func TestBlocks(t *testing.T) {
	got := blocks("d.md", "text\n```go\na\n\n  b\n```\n\n````output x\n```\n````\n- item\n  ```sh\n  make test\n  ```\n")
	want := []block{
		{"d.md", 2, "go", "", "a\n\n  b\n"},
		{"d.md", 8, "output", "x", "```\n"},
		{"d.md", 12, "sh", "", "  make test\n"},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
