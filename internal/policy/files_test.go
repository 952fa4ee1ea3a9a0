package policy_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// This file is about programs that are shown in several blocks of a document, one for each file.
// What comes after the word "go" is then the name of a folder and of a file, such as
// chat/room.go. A later block with the same name takes the place of the earlier one, as it would
// in the reader's folder. The program is run at each main.go, with all files of its folder so far.
// At each file that ends in _test.go the folder is tested.

// programFiles are the files of a document so far, by their folders and their names.
type programFiles map[string]map[string]string

// isFile reports whether b is a file of a program. Another name after the word "go" marks a copy, see origins_test.go.
func isFile(b block) bool { return b.language == "go" && strings.HasSuffix(b.info, ".go") }

// isPart reports whether b is a file of a program that is run further down.
func isPart(b block) bool {
	return isFile(b) && filepath.Base(b.info) != "main.go" && !isTestFile(b.info)
}

func isTestFile(name string) bool { return strings.HasSuffix(name, "_test.go") }

// add adds the file b. If the program is complete with it, add returns its files.
func (f programFiles) add(b block) (files map[string]string, complete bool, problem string) {
	folder, name, ok := strings.Cut(b.info, "/")
	if !ok || folder == "" || name != filepath.Base(name) || filepath.Ext(name) != ".go" {
		return nil, false, fmt.Sprintf("%q is no name such as chat/room.go", b.info)
	}
	if f[folder] == nil {
		f[folder] = make(map[string]string)
	}
	f[folder][name] = b.text
	if isPart(b) {
		return nil, false, ""
	}
	return maps.Clone(f[folder]), true, ""
}

// runFiles builds the files of p in a folder of the module and runs the program in the folder
// scratch, or tests it.
func runFiles(ctx context.Context, module, scratch string, p program) error {
	dir, err := os.MkdirTemp(module, "files")
	if err != nil {
		return err
	}
	folder := filepath.Join(dir, filepath.Dir(p.info)) // the monitor shows its name
	if err := os.Mkdir(folder, 0o755); err != nil {
		return err
	}
	for name, text := range p.files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	pkg := "./" + filepath.Base(dir) + "/" + filepath.Base(folder)
	if isTestFile(p.info) {
		return testFiles(ctx, module, pkg)
	}
	binary := filepath.Join(dir, "program.exe")
	if err := buildProgram(ctx, module, binary, pkg); err != nil {
		return err
	}
	return runBinary(ctx, scratch, p, binary)
}

// testFiles tests a package of the module.
func testFiles(ctx context.Context, module, pkg string) error {
	test := exec.CommandContext(ctx, "go", "test", pkg)
	test.Dir = module
	test.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod")
	if out, err := test.CombinedOutput(); err != nil {
		return fmt.Errorf("go test: %w\n%s", err, out)
	}
	return nil
}

func TestProgramFiles(t *testing.T) {
	const first, second = "package main\n\nvar n = 1\n", "package main\n\nvar n = 2\n"
	const prints = "package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println(n) }\n"
	const tests = "package main\n\nimport \"testing\"\n\nfunc TestN(t *testing.T) {\n\tif n != 2 {\n\t\tt.Error(n)\n\t}\n}\n"
	list, problems := programs([]block{
		{"d.md", 1, "go", "a/n.go", first},
		{"d.md", 2, "output", "", "1"},
		{"d.md", 3, "go", "b/n.go", second},
		{"d.md", 4, "go", "a/main.go", prints},
		{"d.md", 5, "output", "", "1"},
		{"d.md", 6, "go", "a/n_test.go", tests},
		{"d.md", 7, "go", "a/n.go", second},
		{"d.md", 8, "go", "a/main.go", prints},
		{"d.md", 9, "output", "", "2"},
		{"d.md", 10, "go", "a/n_test.go", tests},
		{"d.md", 11, "go", "n.go", first},
		{"d.md", 12, "go", "a/../n.go", first},
	})
	expect(t, problems, "d.md:2: output without", `d.md:11: "n.go" is no name`, `d.md:12: "a/../n.go" is no name`)
	if len(list) != 4 {
		t.Fatalf("got %d programs, want 4", len(list))
	}
	module := scratchModule(t, rootDir(t))
	for i, wrong := range []bool{false, true, false, false} {
		t.Run(fmt.Sprint(list[i].line), func(t *testing.T) {
			t.Parallel()
			if err := runFiles(t.Context(), module, t.TempDir(), list[i]); (err != nil) != wrong {
				t.Errorf("line %d: %v", list[i].line, err)
			}
		})
	}
}
