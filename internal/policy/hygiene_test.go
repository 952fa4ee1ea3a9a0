package policy_test

import (
	"go/ast"
	"go/token"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Lengths at which a file or a function holds a second idea, as a rule.
const (
	maxFileLines = 600
	maxFuncLines = 60
)

// Exceptions, each with its reason. A key is a file, a directory with a slash
// at its end, or for mayBeLong also "file:function". One that nothing needs
// any more fails, so that the tables do not outlive their reasons.
var (
	mayUseTimers = map[string]string{
		"internal/wait/":                    "the one place where real timers are made; everybody else waits through it",
		"internal/poll/epoll_linux.go":      "starts a goroutine without the labels of the one that starts it; nobody waits",
		"internal/signals/signals.go":       "as above",
		"monitor/server.go":                 "as above",
		"internal/signals/die.go":           "the process ends in that moment",
		"examples/compared/balancer/std.go": "the standard library's version, with what it takes there",
		"examples/compared/chat/std.go":     "as above",
		"examples/compared/pipeline/std.go": "as above",
		"bench/load/":                       "the load generator must not depend on what it measures",
		"bench/network/":                    "its client is package net's, and must not depend on what it measures",
	}
	mayBeLong = map[string]string{}
)

// timers are the functions of package time that park, or wake something, apart
// from the kernel's clock: a cancelled task would sleep on, and virtual time
// would not reach them.
var timers = []string{"After", "AfterFunc", "NewTicker", "NewTimer", "Sleep", "Tick"}

// A finding is a problem, and the names under which it could be excepted.
type finding struct {
	problem string
	keys    []string
}

// checkTimers finds every mention of a timer, called or not: "sleep :=
// time.Sleep" is as naked as the call.
func checkTimers(s *source) []finding {
	name := importedAs(s.tree, "time")
	var found []finding
	ast.Inspect(s.tree, func(node ast.Node) bool {
		selector, ok := node.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if pkg, ok := selector.X.(*ast.Ident); ok && pkg.Name == name && slices.Contains(timers, selector.Sel.Name) {
			found = append(found, finding{
				s.problem(selector.Pos(), "time.%s goes past the kernel's clock and cannot be cancelled: wait through internal/wait, or curio.Sleep", selector.Sel.Name),
				[]string{s.name, s.dir() + "/"},
			})
		}
		return true
	})
	return found
}

// importedAs returns the name of an imported package in a file, "" if it is
// not imported.
func importedAs(tree *ast.File, importPath string) string {
	for _, spec := range tree.Imports {
		if spec.Path.Value != strconv.Quote(importPath) {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		return path.Base(importPath)
	}
	return ""
}

func checkLengths(s *source) []finding {
	var found []finding
	file := s.files.File(s.tree.Package)
	if lines := file.LineCount(); lines > maxFileLines {
		found = append(found, finding{
			s.problem(s.tree.Package, "the file has %d lines, more than %d: look for the second idea in it", lines, maxFileLines),
			[]string{s.name},
		})
	}
	for _, decl := range s.tree.Decls {
		function, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		if lines := s.line(function.End()) - s.line(function.Pos()) + 1; lines > maxFuncLines {
			name := function.Name.Name
			found = append(found, finding{
				s.problem(function.Pos(), "%s has %d lines, more than %d: look for the second idea in it", name, lines, maxFuncLines),
				[]string{s.name + ":" + name},
			})
		}
	}
	return found
}

// checkSkips finds tests that give up without saying why. The log of a run
// must tell a reader what was not tested.
func checkSkips(s *source) []finding {
	var found []finding
	ast.Inspect(s.tree, func(node ast.Node) bool {
		call, receiver, name := called(node)
		if call == nil || !slices.Contains([]string{"t", "b", "f", "tb"}, receiver) {
			return true
		}
		if name == "SkipNow" || name == "Skip" && (len(call.Args) == 0 || isEmptyText(call.Args[0])) {
			found = append(found, finding{s.problem(call.Pos(), "%s.%s gives no reason", receiver, name), nil})
		}
		return true
	})
	return found
}

// called returns a call of the form x.f(…) with the names x and f, nil for any other node.
func called(node ast.Node) (call *ast.CallExpr, x, f string) {
	call, ok := node.(*ast.CallExpr)
	if !ok {
		return nil, "", ""
	}
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return nil, "", ""
	}
	name, ok := selector.X.(*ast.Ident)
	if !ok {
		return nil, "", ""
	}
	return call, name.Name, selector.Sel.Name
}

func isEmptyText(e ast.Expr) bool {
	literal, ok := e.(*ast.BasicLit)
	return ok && literal.Kind == token.STRING && strings.Trim(literal.Value, "\"` ") == ""
}

// excuse drops the findings that the table excepts, and marks what it used.
func excuse(found []finding, table map[string]string, used map[string]bool) []string {
	var problems []string
next:
	for _, f := range found {
		for _, key := range f.keys {
			if table[key] != "" {
				used[key] = true
				continue next
			}
		}
		problems = append(problems, f.problem)
	}
	return problems
}

// unused returns a problem for each exception that nothing needed, unless its
// file or directory does not exist yet.
func unused(table map[string]string, used map[string]bool, all []*source) []string {
	var problems []string
	for _, key := range slices.Sorted(maps.Keys(table)) {
		name, _, _ := strings.Cut(key, ":")
		exists := slices.ContainsFunc(all, func(s *source) bool { return s.name == name || s.dir()+"/" == name })
		if exists && !used[key] {
			problems = append(problems, "the exception for "+key+" is not needed any more: remove it")
		}
	}
	return problems
}

func TestTimers(t *testing.T) {
	used := map[string]bool{}
	all := sources(t, true)
	for _, s := range all {
		if !s.isTest() {
			report(t, excuse(checkTimers(s), mayUseTimers, used))
		}
	}
	report(t, unused(mayUseTimers, used, all))
}

func TestLengths(t *testing.T) {
	used := map[string]bool{}
	all := sources(t, false)
	for _, s := range all {
		if !s.isTest() {
			report(t, excuse(checkLengths(s), mayBeLong, used))
		}
	}
	report(t, unused(mayBeLong, used, all))
}

func TestSkips(t *testing.T) {
	for _, s := range sources(t, true) {
		if s.isTest() {
			report(t, excuse(checkSkips(s), nil, nil))
		}
	}
}
