package policy_test

import (
	"go/ast"
	"strings"
	"testing"
)

// checkInterrupts finds programs that catch a signal and do not let go of it once it has come:
// a second one, sent because the end takes too long, would have no effect.
func checkInterrupts(s *source) []string {
	name := importedAs(s.tree, "os/signal")
	caught, letGo := ast.Node(nil), false
	ast.Inspect(s.tree, func(node ast.Node) bool {
		call, pkg, function := called(node)
		switch {
		case call == nil:
		case pkg == name && (function == "NotifyContext" || function == "Notify"):
			caught = call
		case pkg == "context" && function == "AfterFunc" && len(call.Args) == 2:
			stop, ok := call.Args[1].(*ast.Ident)
			letGo = letGo || ok && stop.Name == "stop"
		}
		return true
	})
	if caught == nil || letGo {
		return nil
	}
	return []string{s.problem(caught.Pos(), "a second Ctrl-C does nothing: write context.AfterFunc(ctx, stop), with the stop of signal.NotifyContext")}
}

func TestCheckInterrupts(t *testing.T) {
	const head = "package main\n\nimport (\n\t\"context\"\n\t\"os/signal\"\n)\n\n"
	expect(t, checkInterrupts(mustParse(t, "a.go", head+"func main() { ctx, stop := signal.NotifyContext(nil); context.AfterFunc(ctx, stop) }")))
	expect(t, checkInterrupts(mustParse(t, "a.go", head+"func main() { context.AfterFunc(nil, nil) }")))
	expect(t, checkInterrupts(mustParse(t, "a.go", head+"func main() { ctx, stop := signal.NotifyContext(nil); defer stop() }")),
		"a.go:8: a second Ctrl-C does nothing: write context.AfterFunc(ctx, stop), with the stop of signal.NotifyContext")
	expect(t, checkInterrupts(mustParse(t, "a.go", head+"func main() { signal.Notify(nil) }")),
		"a.go:8: a second Ctrl-C does nothing: write context.AfterFunc(ctx, stop), with the stop of signal.NotifyContext")
}

// Examples, and programs in documents, are what people copy.
func TestSecondInterrupt(t *testing.T) {
	var problems []string
	for _, s := range sources(t, true) {
		if strings.HasPrefix(s.name, "examples/") && !s.isTest() {
			problems = append(problems, checkInterrupts(s)...)
		}
	}
	for file, found := range documents(t, rootDir(t)) {
		for _, b := range found {
			if b.language != "go" {
				continue
			}
			s, err := parseSource(file, []byte(b.text))
			if err != nil {
				t.Fatal(err)
			}
			problems = append(problems, checkInterrupts(s)...)
		}
	}
	report(t, problems)
}
