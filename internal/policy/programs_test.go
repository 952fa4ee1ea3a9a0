package policy_test

import (
	"go/ast"
	"go/token"
	"strconv"
	"strings"
	"testing"
)

// checkPrograms finds tests that run a program by its name without testutil.Command, which
// makes sure that the test skips itself where the program is missing. The go command runs
// the tests, so it is there.
func checkPrograms(s *source) (problems []string) {
	name := importedAs(s.tree, "os/exec")
	ast.Inspect(s.tree, func(node ast.Node) bool {
		call, pkg, function := called(node)
		if call == nil || pkg != name || name == "" {
			return true
		}
		program := 0
		if function == "CommandContext" {
			program = 1
		}
		if !strings.HasPrefix(function, "Command") && function != "LookPath" || len(call.Args) <= program {
			return true
		}
		literal, ok := call.Args[program].(*ast.BasicLit)
		if !ok || literal.Kind != token.STRING || literal.Value == strconv.Quote("go") {
			return true
		}
		problems = append(problems, s.problem(call.Pos(), "runs %s by exec.%s: use testutil.Need and testutil.Command", literal.Value, function))
		return true
	})
	return problems
}

func TestCheckPrograms(t *testing.T) {
	const head = "package a\n\nimport \"os/exec\"\n\n"
	expect(t, checkPrograms(mustParse(t, "a_test.go", head+`var _ = exec.Command("go", "version"), exec.CommandContext(nil, program)`)))
	expect(t, checkPrograms(mustParse(t, "a_test.go", head+`var _ = exec.Command("sh")`)),
		`a_test.go:5: runs "sh" by exec.Command: use testutil.Need and testutil.Command`)
	expect(t, checkPrograms(mustParse(t, "a_test.go", head+`var _ = exec.CommandContext(nil, "sh")`)),
		`a_test.go:5: runs "sh" by exec.CommandContext: use testutil.Need and testutil.Command`)
	expect(t, checkPrograms(mustParse(t, "a_test.go", head+`var _, _ = exec.LookPath("sh")`)),
		`a_test.go:5: runs "sh" by exec.LookPath: use testutil.Need and testutil.Command`)
}

func TestProgramsThatMayBeMissing(t *testing.T) {
	excepted := map[string]string{
		"network/connect_linux_test.go": `"ip"`, // its error is the reason for which the test skips itself
		"socket/activation_test.go":     `"sh"`, // in a child that sh has started
	}
	var problems []string
	for _, s := range sources(t, true) {
		if !s.isTest() || strings.HasPrefix(s.name, "internal/testutil/") {
			continue
		}
		for _, p := range checkPrograms(s) {
			if program, ok := excepted[s.name]; !ok || !strings.Contains(p, "runs "+program) {
				problems = append(problems, p)
			}
		}
	}
	expect(t, problems)
}
