package main

import (
	"fmt"
	"go/scanner"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestShorter checks that each program is shorter with Curio, and that the table in
// README.md is right.
func TestShorter(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, program := range []string{"chat", "fetch", "balancer", "pipeline"} {
		withCurio := linesOfCode(t, filepath.Join(program, "curio.go"))
		withStd := linesOfCode(t, filepath.Join(program, "std.go"))
		if withCurio >= withStd {
			t.Errorf("%s has %d lines with Curio, and %d without", program, withCurio, withStd)
		}
		row := fmt.Sprintf("| `%s` | %d | %d |", program, withCurio, withStd)
		if !strings.Contains(string(readme), row) {
			t.Errorf("README.md lacks the row %q", row)
		}
	}
}

// linesOfCode counts the lines of a file that hold more than comments and space, apart from
// the imports and the package's name.
func linesOfCode(t *testing.T, file string) int {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	files := token.NewFileSet()
	source := files.AddFile(file, -1, len(text))
	var s scanner.Scanner
	s.Init(source, text, nil, 0)
	lines := map[int]bool{}
	imports, head := false, true
	for {
		pos, tok, literal := s.Scan()
		switch {
		case tok == token.EOF:
			return len(lines)
		case tok == token.IMPORT:
			imports = true
		case imports && tok == token.RPAREN:
			imports, head = false, false
		case !imports && !head && !(tok == token.SEMICOLON && literal == "\n"):
			lines[source.Line(pos)] = true
		}
	}
}
