package policy_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// This file makes one program of many, as linking each of those in the documents takes most of
// the time that testing them takes. Each becomes a package whose function Main is called if the
// first argument is the program's number. Worker processes of package process have no argument: the merged
// program serves them itself, so the names under which programs register functions must differ.

// merge returns the text of a program as a package with the given name. ok is false for one that
// has to be a program of its own: it has several files, starts itself, has flags, or prints the names of functions.
func merge(p program, name string) (text string, ok bool) {
	if p.files != nil || strings.Contains(p.text, "os.Args") || strings.Contains(p.text, "os.Executable") || strings.Contains(p.text, "flag.") || strings.Contains(p.output, "main.") {
		return "", false
	}
	files := token.NewFileSet()
	tree, err := parser.ParseFile(files, "main.go", p.text, 0)
	if err != nil {
		return "", false
	}
	at := func(pos token.Pos) int { return files.Position(pos).Offset }
	text = p.text
	for _, decl := range tree.Decls { // before the package's name, which comes first in the text
		if f, is := decl.(*ast.FuncDecl); is && f.Recv == nil && f.Name.Name == "main" {
			text = text[:at(f.Name.Pos())] + "Main" + text[at(f.Name.End()):]
			ok = true
		}
	}
	return text[:at(tree.Name.Pos())] + name + text[at(tree.Name.End()):], ok
}

// mergePrograms builds one program of those that can be merged, in a module, and returns its file
// at their indexes. If that does not build, it returns nothing: each built by itself, the faulty
// one tells.
func mergePrograms(t *testing.T, module string, list []program) (binaries []string) {
	t.Helper()
	dir, err := os.MkdirTemp(module, "merged")
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	binary := filepath.Join(dir, "programs.exe")
	binaries = make([]string, len(list))
	var imports, entries strings.Builder
	first := ""
	for i, p := range list {
		name := fmt.Sprintf("program%d", i)
		text, ok := merge(p, name)
		if !ok {
			continue
		}
		binaries[i] = binary
		if first == "" && strings.Contains(text, "process.Main()") {
			first = "\tprocess.Main()\n"
			fmt.Fprintf(&imports, "\t%q\n", modulePath+"/process")
		}
		write(filepath.Join(name, "program.go"), text)
		fmt.Fprintf(&imports, "\t\"documents/%s/%s\"\n", filepath.Base(dir), name)
		fmt.Fprintf(&entries, "\t\"%d\": %s.Main,\n", i, name)
	}
	write("main.go", "package main\n\nimport (\n\t\"os\"\n\n"+imports.String()+
		")\n\nfunc main() {\n"+first+"\tmains[os.Args[1]]()\n}\n\nvar mains = map[string]func(){\n"+entries.String()+"}\n")
	if err := buildProgram(t.Context(), module, binary, "./"+filepath.Base(dir)); err != nil {
		t.Logf("building them one by one, as together they do not build: %v", err)
		return make([]string, len(list))
	}
	return binaries
}

func TestMergePrograms(t *testing.T) {
	const print = "package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Print(%q) }\n"
	printing := func(text, output string) program {
		return program{block: block{text: text}, checked: true, output: output}
	}
	list := []program{
		printing(fmt.Sprintf(print, "one"), "one"),
		printing(fmt.Sprintf(print, "two"), "three"),
		printing("package main\n\nimport \"os\"\n\nfunc main() { _ = os.Args }\n", ""),
		printing(fmt.Sprintf(print, "main.f"), "main.f"),
	}
	module := scratchModule(t, rootDir(t))
	binaries := mergePrograms(t, module, list)
	for i, alone := range []bool{false, false, true, true} {
		if (binaries[i] == "") != alone {
			t.Errorf("program %d is in %q", i, binaries[i])
		}
	}
	for i, wrong := range []bool{false, true} {
		if err := runBinary(t.Context(), t.TempDir(), list[i], binaries[i], fmt.Sprint(i)); (err != nil) != wrong {
			t.Errorf("program %d: %v", i, err)
		}
	}
	list = append(list, printing("package main\n\nfunc main() { x }\n", ""))
	if binaries := mergePrograms(t, module, list); binaries[0] != "" {
		t.Error("programs that do not build are merged")
	}
}
