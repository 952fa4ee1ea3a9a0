package policy_test

import (
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// anyPublic in a row stands for every public package, present and future.
const anyPublic = "*"

// mayImport is the architecture: for each package of the root module, which of
// our packages its non-test files may import. "." is the root package, curio.
// A name that ends in "/..." covers everything below it.
//
// The root is at the bottom of the public packages, and no package imports
// upwards. What a change of this table would mean is decided in the design
// first; the table follows it.
var mayImport = map[string][]string{
	"internal/origin":    {},
	"internal/thread":    {},
	"internal/events":    {},
	"internal/wait":      {"internal/events"},
	"internal/poll":      {"internal/wait"},
	"internal/foreign":   {"internal/wait", "internal/poll"},
	"internal/sentinel":  {},
	"internal/trouble":   {},
	"internal/mapped":    {},
	"internal/gobs":      {},
	"internal/signals":   {"internal/wait"},
	"internal/process":   {"internal/wait", "internal/poll"},
	"internal/disk":      {"internal/wait", "internal/poll"},
	"internal/quote":     {},
	"internal/private":   {},
	"internal/picture":   {},
	"internal/testutil":  {"internal/poll"},
	"internal/waittest":  {"internal/wait", "internal/testutil"},
	"internal/policy":    {},
	".":                  {"internal/events", "internal/wait", "internal/poll", "internal/origin", "internal/quote", "internal/sentinel", "internal/signals", "internal/thread", "internal/trouble"},
	"internal/labelled":  {"."},
	"blackbox":           {".", "internal/wait", "internal/events", "internal/mapped", "internal/quote", "internal/signals", "internal/trouble"},
	"socket":             {".", "internal/wait", "internal/poll"},
	"stream":             {".", "socket", "internal/wait", "internal/poll", "internal/foreign", "internal/sentinel"},
	"network":            {".", "socket", "network/proxyproto", "internal/wait", "internal/poll", "internal/foreign", "internal/sentinel"},
	"network/proxyproto": {},
	"httptask":           {"."},
	"expvars":            {"."},
	"signal":             {".", "internal/signals"},
	"subprocess":         {".", "stream", "internal/wait", "internal/poll", "internal/process", "internal/signals", "internal/sentinel", "internal/thread"},
	"process":            {".", "socket", "stream", "subprocess", "internal/wait", "internal/gobs", "internal/process", "internal/signals"},
	"file":               {".", "internal/wait", "internal/poll", "internal/disk", "internal/sentinel"},
	"channel":            {".", "network", "socket", "stream", "internal/wait", "internal/poll", "internal/gobs", "internal/sentinel"},
	"debug":              {".", "internal/events", "internal/labelled", "internal/wait"},
	"monitor":            {".", "internal/labelled", "internal/origin", "internal/private", "internal/quote", "internal/signals"},
	"curiotest":          {".", "network", "socket", "internal/wait", "internal/poll", "internal/origin"},
	"examples/...":       {anyPublic},
	"verify/core":        {},
	"verify/fixture":     {".", "internal/wait", "internal/testutil"},
}

// mayImportUnsafe lists the packages that may go behind the type system, and why.
var mayImportUnsafe = map[string]string{
	"internal/poll":    "system calls without the bracket of package syscall take pointers as numbers",
	"internal/process": "waitid, prlimit and the like are not in package syscall",
	"internal/disk":    "preadv2 is not in package syscall",
}

const changeDesign = "change the design first, then this table"

// mayImportSyscall: network, channel and monitor make no system calls, but have to know their errors, and signal has to
// know its signals; subprocess, process and file are about system calls, and blackbox about files that others may not
// touch. One example is about somebody else's event
// loop, six stop on a signal more or wait for one, and one of them sets limits.
func mayImportSyscall(dir string) bool {
	switch dir {
	case "socket", "network", "signal", "subprocess", "process", "file", "channel", "blackbox", "monitor",
		"examples/universalqueue", "examples/supervisor", "examples/heartbeat", "examples/jobrunner",
		"examples/multisignal", "examples/pinger", "examples/restart":
		return true
	}
	return strings.HasPrefix(dir, "internal/")
}

// importRow finds the row of mayImport for a package.
func importRow(dir string) ([]string, bool) {
	if row, ok := mayImport[dir]; ok {
		return row, true
	}
	for above := dir; above != "."; above = path.Dir(above) {
		if row, ok := mayImport[above+"/..."]; ok {
			return row, true
		}
	}
	return nil, false
}

// checkImports returns what is wrong with the imports of one file. Test files
// may use any package of ours, but bring in no third party's either.
func checkImports(s *source) []string {
	var problems []string
	row, listed := importRow(s.dir())
	if !listed && !s.isTest() {
		problems = append(problems, s.problem(s.tree.Package, "package %s is not in the table of imports: %s", s.dir(), changeDesign))
	}
	for _, spec := range s.tree.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			problems = append(problems, s.problem(spec.Pos(), "%v", err))
			continue
		}
		if why := objection(s, row, listed, imported); why != "" {
			problems = append(problems, s.problem(spec.Pos(), "%s may not import %s%s: %s", s.dir(), imported, why, changeDesign))
		}
	}
	return problems
}

// objection says why a file may not import a package; "" means it may.
func objection(s *source, row []string, listed bool, imported string) string {
	first, _, _ := strings.Cut(imported, "/")
	ours := imported == modulePath || strings.HasPrefix(imported, modulePath+"/")
	switch {
	case strings.HasPrefix(imported, "golang.org/x/sys/"):
		if !strings.HasPrefix(s.dir(), "internal/") {
			return " (golang.org/x/sys stays inside internal)"
		}
	case strings.Contains(first, ".") && !ours:
		return " (the root module has no third-party dependency)"
	case s.isTest():
		return ""
	case imported == "C":
		return " (a C compiler is not needed to build this module)"
	case imported == "unsafe" && mayImportUnsafe[s.dir()] == "":
		return " (not in mayImportUnsafe)"
	case imported == "syscall" && !mayImportSyscall(s.dir()):
		return " (system calls are made in internal and in socket)"
	case ours && listed:
		dir := strings.TrimPrefix(strings.TrimPrefix(imported, modulePath), "/")
		if dir == "" {
			dir = "."
		}
		if !slices.Contains(row, dir) && !(slices.Contains(row, anyPublic) && isPublic(dir)) {
			return " (not in its row)"
		}
	}
	return ""
}

func TestImports(t *testing.T) {
	for _, s := range sources(t, false) {
		report(t, checkImports(s))
	}
}

// The design promises a tree with internal/wait at the bottom, so a table with
// a cycle is wrong before anybody has written the imports that it would allow.
func TestImportTableHasNoCycle(t *testing.T) {
	const (
		unseen = iota
		open
		done
	)
	state := map[string]int{}
	var visit func(dir string)
	visit = func(dir string) {
		if state[dir] == open {
			t.Fatalf("mayImport has a cycle through %s", dir)
		}
		if state[dir] == done {
			return
		}
		state[dir] = open
		for _, next := range mayImport[dir] {
			visit(next)
		}
		state[dir] = done
	}
	for _, dir := range slices.Sorted(maps.Keys(mayImport)) {
		visit(dir)
	}
}

func TestCheckImports(t *testing.T) {
	for _, test := range []struct {
		file, imported, problem string
	}{
		{"lock.go", "sync", ""},
		{"lock.go", modulePath + "/internal/wait", ""},
		{"lock.go", modulePath + "/socket", "not in its row"},
		{"lock.go", "syscall", "internal and in socket"},
		{"lock.go", "unsafe", "mayImportUnsafe"},
		{"lock.go", "C", "C compiler"},
		{"lock.go", "golang.org/x/sys/unix", "stays inside internal"},
		{"lock.go", "golang.org/x/sync/errgroup", "third-party"},
		{"lock_test.go", "golang.org/x/sync/errgroup", "third-party"},
		{"lock_test.go", modulePath + "/socket", ""},
		{"lock_test.go", "syscall", ""},
		{"internal/wait/waiter.go", modulePath, "not in its row"},
		{"internal/poll/fd.go", "golang.org/x/sys/unix", ""},
		{"internal/poll/fd.go", "syscall", ""},
		{"socket/socket.go", "syscall", ""},
		{"examples/echo/main.go", modulePath + "/socket", ""},
		{"examples/echo/main.go", modulePath + "/internal/wait", "not in its row"},
		{"unheard/of.go", "sync", "unheard is not in the table"},
		{"unheard/of_test.go", "sync", ""},
	} {
		s := mustParse(t, test.file, "package p\n\nimport _ \""+test.imported+"\"\n")
		problems := checkImports(s)
		if test.problem == "" {
			expect(t, problems)
			continue
		}
		expect(t, problems, test.problem)
		if !strings.Contains(problems[0], changeDesign) {
			t.Errorf("%q does not say what to do", problems[0])
		}
	}
}
