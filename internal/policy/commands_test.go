package policy_test

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// checkCommands returns the commands of a shell block that name a package or a
// make target that the repository does not have. The commands are not run:
// this finds what a rename left behind, and the tests run the things themselves.
func checkCommands(b block, tree fs.FS, targets map[string]bool) []string {
	var problems []string
	for number, line := range slices.Collect(strings.Lines(b.text)) {
		line, _, _ = strings.Cut(line, " #")
		dir := "."
		for command := range strings.SplitSeq(strings.ReplaceAll(line, ";", "&&"), "&&") {
			words := strings.Fields(strings.TrimPrefix(strings.TrimSpace(command), "$ "))
			for len(words) > 0 && strings.Contains(words[0], "=") {
				words = words[1:] // variables set for the command
			}
			if len(words) == 2 && words[0] == "cd" {
				dir = path.Join(dir, words[1])
				continue
			}
			for _, missing := range missingNames(words, dir, tree, targets) {
				problems = append(problems, fmt.Sprintf("%s:%d: %s does not exist", b.file, b.line+1+number, missing))
			}
		}
	}
	return problems
}

func missingNames(words []string, dir string, tree fs.FS, targets map[string]bool) []string {
	if len(words) == 0 {
		return nil
	}
	var missing []string
	switch tool := words[0]; {
	case tool == "make":
		for _, word := range words[1:] {
			if !strings.HasPrefix(word, "-") && !strings.Contains(word, "=") && !targets[word] {
				missing = append(missing, "make target "+word)
			}
		}
	case tool == "go" && len(words) > 1 && slices.Contains([]string{"run", "test", "build", "install", "vet"}, words[1]):
		for _, word := range words[2:] {
			if name, ok := packagePath(word, dir); ok && !holdsGo(tree, name, strings.HasSuffix(word, "...")) {
				missing = append(missing, "package "+word)
			}
			if words[1] == "run" && !strings.HasPrefix(word, "-") {
				break // what follows the package are the program's own arguments
			}
		}
	}
	return missing
}

// packagePath maps an argument of the go command to a path in the repository,
// if it is one: flags and foreign packages are not.
func packagePath(word, dir string) (string, bool) {
	word, _, _ = strings.Cut(word, "@")
	word = strings.TrimSuffix(strings.TrimSuffix(word, "..."), "/")
	switch {
	case word == modulePath || strings.HasPrefix(word, modulePath+"/"):
		return path.Join(".", "./"+strings.TrimPrefix(word, modulePath)), true
	case word == "." || strings.HasPrefix(word, "./"):
		return path.Join(dir, word), true
	}
	return "", false
}

// holdsGo reports whether a path is a Go file or a directory with some; below
// it counts too for a pattern with dots.
func holdsGo(tree fs.FS, name string, below bool) bool {
	found := false
	// The error is that of a name that does not exist, which found tells already.
	_ = fs.WalkDir(tree, name, func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && file != name && !below:
			return fs.SkipDir
		case !entry.IsDir() && path.Ext(file) == ".go":
			found = true
			return fs.SkipAll
		}
		return nil
	})
	return found
}

var targetLine = regexp.MustCompile(`(?m)^([a-z][a-z0-9_-]*):`)

// makeTargets reads the targets of a Makefile of plain verbs.
func makeTargets(makefile string) map[string]bool {
	targets := map[string]bool{}
	for _, match := range targetLine.FindAllStringSubmatch(makefile, -1) {
		targets[match[1]] = true
	}
	return targets
}

func TestDocumentedCommandsExist(t *testing.T) {
	root := rootDir(t)
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	targets := makeTargets(string(makefile))
	found := documents(t, root)
	for _, name := range slices.Sorted(maps.Keys(found)) {
		for _, b := range found[name] {
			if b.language == "sh" {
				report(t, checkCommands(b, os.DirFS(root), targets))
			}
		}
	}
}

func TestCheckCommands(t *testing.T) {
	tree := fstest.MapFS{
		"curio.go":              {},
		"bench/echo/main.go":    {},
		"examples/chat/main.go": {},
		"docs/essay.md":         {},
	}
	targets := makeTargets("help: ## list\n\t@echo\n.PHONY: x\ntest:\n\tgo test ./...\nVAR = 1\n")
	for _, test := range []struct{ command, problem string }{
		{"make test", ""},
		{"make tests", "make target tests"},
		{"make -j test FUZZTIME=1s", ""},
		{"go test ./...", ""},
		{"$ GOWORK=off go test -race . # all of it", ""},
		{"go test ./socket", "package ./socket"},
		{"go test ./socket/...", "package ./socket/..."},
		{"go run ./examples/chat ./not/a/package", ""},
		{"go run ./examples", "package ./examples"},
		{"go run ./examples/chat/main.go", ""},
		{"go run ./docs", "package ./docs"},
		{"cd bench && go run ./echo", ""},
		{"cd bench && go run ./ohce", "package ./ohce"},
		{"go run " + modulePath + "/bench/echo@latest", ""},
		{"go run " + modulePath + "/cmd/echo@latest", "does not exist"},
		{"go install golang.org/x/tools/cmd/stress@latest", ""},
		{"ls ./nowhere", ""},
	} {
		t.Run(test.command, func(t *testing.T) {
			problems := checkCommands(block{file: "d.md", line: 4, text: "true\n" + test.command + "\n"}, tree, targets)
			if test.problem == "" {
				expect(t, problems)
				return
			}
			expect(t, problems, test.problem)
			if !strings.HasPrefix(problems[0], "d.md:6: ") {
				t.Errorf("%q is not about line 6", problems[0])
			}
		})
	}
}
