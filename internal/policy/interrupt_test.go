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

// checkSignals finds programs that do not stop by a signal as the library has it: with
// curio.StopOnSignals and, so that a shell sees the signal too, curio.Exit.
func checkSignals(s *source) (problems []string) {
	if importedAs(s.tree, "os/signal") != "" {
		problems = append(problems, s.problem(s.tree.Package, "use curio.StopOnSignals or package signal in place of os/signal"))
	}
	name := importedAs(s.tree, modulePath)
	stops, exits := ast.Node(nil), false
	ast.Inspect(s.tree, func(node ast.Node) bool {
		switch call, pkg, function := called(node); {
		case call == nil || pkg != name:
		case function == "StopOnSignals":
			stops = call
		case function == "Exit":
			exits = true
		}
		return true
	})
	if stops != nil && !exits {
		problems = append(problems, s.problem(stops.Pos(), "no shell sees the signal by which this stops: end with curio.Exit"))
	}
	return problems
}

func TestCheckSignals(t *testing.T) {
	const head = "package main\n\nimport (\n\t\"context\"\n\t\"" + modulePath + "\"\n)\n\n"
	expect(t, checkSignals(mustParse(t, "a.go", head+"func main() { curio.Exit(curio.Run(nil, nil, curio.StopOnSignals())) }")))
	expect(t, checkSignals(mustParse(t, "a.go", head+"func main() { curio.Run(nil, nil) }")))
	expect(t, checkSignals(mustParse(t, "a.go", head+"func main() { curio.Run(nil, nil, curio.StopOnSignals()) }")),
		"a.go:8: no shell sees the signal")
	expect(t, checkSignals(mustParse(t, "a.go", "package main\n\nimport _ \"os/signal\"\n")),
		"a.go:1: use curio.StopOnSignals")
}

// Examples, and programs in documents, are what people copy.
func TestInterrupts(t *testing.T) {
	const std = "examples/compared/main.go"      // has to stop a program without the library
	const theirs = "docs/coming-from/context.md" // shows programs without the library beside ours
	var problems []string
	check := func(s *source) {
		problems = append(problems, checkInterrupts(s)...)
		if s.name != std && (s.name != theirs || importedAs(s.tree, modulePath) != "") {
			problems = append(problems, checkSignals(s)...)
		}
	}
	for _, s := range sources(t, true) {
		if strings.HasPrefix(s.name, "examples/") && !s.isTest() {
			check(s)
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
			check(s)
		}
	}
	report(t, problems)
}
