package policy_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// apiNames returns the exported names of each public package, as "Name" and "Type.Member", from the
// lists in api.
func apiNames(t *testing.T, root string) map[string]map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "api", "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no lists in api: %v", err)
	}
	names := map[string]map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		pkg := strings.TrimSuffix(filepath.Base(file), ".txt")
		pkg = pkg[strings.LastIndexByte(pkg, '_')+1:]
		names[pkg] = namesIn(string(text))
	}
	return names
}

var (
	apiLine   = regexp.MustCompile(`^(?:const|var|func|type) (\w+)`)
	apiMethod = regexp.MustCompile(`^method \(\*?(\w+)(?:\[[^\]]*\])?\) (\w+)`)
	apiField  = regexp.MustCompile(`^field (\w+)(?:\[[^\]]*\])?\.(\w+)`)
	apiInside = regexp.MustCompile(`\b([A-Z]\w*)\(`) // a method of an interface
)

// namesIn returns the names in one list.
func namesIn(text string) map[string]bool {
	names := map[string]bool{}
	for line := range strings.Lines(text) {
		if m := apiMethod.FindStringSubmatch(line); m != nil {
			names[m[1]+"."+m[2]] = true
		}
		if m := apiField.FindStringSubmatch(line); m != nil {
			names[m[1]+"."+m[2]] = true
		}
		m := apiLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		names[m[1]] = true
		if _, members, ok := strings.Cut(line, " interface {"); ok && strings.HasPrefix(line, "type ") {
			for _, member := range apiInside.FindAllStringSubmatch(members, -1) {
				names[m[1]+"."+member[1]] = true
			}
		}
	}
	return names
}

var (
	qualified = regexp.MustCompile(`\b([a-z]+)\.([A-Z]\w*(?:\.[A-Z]\w*)?)`)
	member    = regexp.MustCompile(`^[A-Z]\w*\.[A-Z]\w*`)
)

// checkNames returns the names in the code spans of a document that no package has: those that are
// qualified by the name of a package of ours, and members of its types.
func checkNames(file, text string, names map[string]map[string]bool) (problems []string) {
	types := map[string]bool{}
	members := map[string]bool{}
	for _, all := range names {
		for name := range all {
			if t, _, ok := strings.Cut(name, "."); ok {
				types[t], members[name] = true, true
			}
		}
	}
	fenced := false
	number := 0
	for line := range strings.Lines(text) {
		number++
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			fenced = !fenced
			continue
		}
		if fenced {
			continue
		}
		for _, span := range codeSpan.FindAllString(line, -1) {
			for _, m := range qualified.FindAllStringSubmatch(span, -1) {
				if all, ours := names[m[1]]; ours && !all[m[2]] {
					problems = append(problems, fmt.Sprintf("%s:%d: there is no %s.%s", file, number, m[1], m[2]))
				}
			}
			name := member.FindString(strings.Trim(span, "`"))
			if t, _, _ := strings.Cut(name, "."); types[t] && !members[name] {
				problems = append(problems, fmt.Sprintf("%s:%d: there is no %s in any package", file, number, name))
			}
		}
	}
	return problems
}

// The tables for readers who come from elsewhere name what we have.
func TestNamesInTables(t *testing.T) {
	root := rootDir(t)
	names := apiNames(t, root)
	files := []string{"docs/cancellation.md", "docs/coming-from.md"}
	pages, err := filepath.Glob(filepath.Join(root, "docs", "coming-from", "*.md"))
	if err != nil || len(pages) == 0 {
		t.Fatalf("no pages in docs/coming-from: %v", err)
	}
	for _, page := range pages {
		files = append(files, "docs/coming-from/"+filepath.Base(page))
	}
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(file)))
		if err != nil {
			t.Fatal(err)
		}
		report(t, checkNames(file, string(text), names))
	}
}

func TestCheckNames(t *testing.T) {
	names := map[string]map[string]bool{"curio": namesIn(`var ErrX error
func Run[T any](ctx context.Context) error
type Task[T any] struct
method (*Task[T]) Join(ctx context.Context) (T, error)
field Task[T].AnyTask (embedded) *AnyTask
type Conn interface { Close() error; Recv(ctx context.Context, buf []byte) (int, error) }
`)}
	want := []string{"Conn", "Conn.Close", "Conn.Recv", "ErrX", "Run", "Task", "Task.AnyTask", "Task.Join"}
	if got := slices.Sorted(maps.Keys(names["curio"])); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	text := "`curio.Run(ctx)`, `*curio.ErrX`, `Task.Join`, `Conn.Recv`, `other.Name`, `Dispatchers.IO`, `curio.run`\n" +
		"`curio.Gone`, `curio.Task.Gone`\n" +
		"```go\ncurio.Gone\n```\n" +
		"`Task.Gone()`\n"
	expect(t, checkNames("d.md", text, names), "d.md:2: there is no curio.Gone", "d.md:2: there is no curio.Task.Gone", "d.md:6: there is no Task.Gone")
}
