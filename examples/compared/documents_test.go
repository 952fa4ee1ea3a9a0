package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The programs of docs/coming-from/context.md with errgroup print what ours print. They are marked
// "golang", as the root module, whose tests run the blocks marked "go", does not have errgroup.
func TestDocumentsWithErrgroup(t *testing.T) {
	text, err := os.ReadFile(filepath.FromSlash("../../docs/coming-from/context.md"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for after := string(text); ; n++ {
		var program, output string
		var ok bool
		if program, after, ok = cutBlock(after, "golang"); !ok {
			break
		}
		if output, _, ok = cutBlock(after, "output"); !ok {
			t.Fatal("no output after a program")
		}
		file := filepath.Join(t.TempDir(), "main.go")
		if err := os.WriteFile(file, []byte(program), 0o644); err != nil {
			t.Fatal(err)
		}
		var stderr bytes.Buffer
		run := exec.CommandContext(t.Context(), "go", "run", file)
		run.Stderr = &stderr
		got, err := run.Output()
		if err != nil || string(got) != output {
			t.Errorf("%v: the program prints\n%s\nbut the document says\n%s\n%s", err, got, output, &stderr)
		}
	}
	if n == 0 {
		t.Error("no program uses errgroup")
	}
}

// cutBlock returns the first fenced block in a language, and what comes after it.
func cutBlock(text, language string) (block, after string, ok bool) {
	_, text, ok = strings.Cut(text, "\n```"+language+"\n")
	if !ok {
		return "", "", false
	}
	return strings.Cut(text, "```\n")
}
