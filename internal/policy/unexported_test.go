package policy_test

import (
	"go/ast"
	"go/token"
	"strings"
	"testing"
)

// checkUnexported finds exported variables and constants whose value go doc shows with a name that
// its readers cannot look up, such as that of an unexported type.
func checkUnexported(s *source) (problems []string) {
	for _, decl := range s.tree.Decls {
		general, ok := decl.(*ast.GenDecl)
		if !ok || general.Tok != token.VAR && general.Tok != token.CONST {
			continue
		}
		for _, spec := range general.Specs {
			spec, ok := spec.(*ast.ValueSpec)
			if !ok || !spec.Names[0].IsExported() {
				continue
			}
			for _, value := range spec.Values {
				if name := unexportedIn(value); name != "" {
					problems = append(problems, s.problem(spec.Pos(), "go doc shows %s with the unexported name %s", spec.Names[0].Name, name))
				}
			}
		}
	}
	return problems
}

// unexportedIn returns the first name in a value that is neither exported, nor a package's, nor one
// of the language's.
func unexportedIn(value ast.Expr) (name string) {
	ast.Inspect(value, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.SelectorExpr: // go doc shows the package, and what it exports
			return false
		case *ast.FuncLit:
			return false
		case *ast.Ident:
			switch {
			case node.IsExported(), node.Name == "iota", node.Name == "nil", node.Name == "true", node.Name == "false":
			case name == "":
				name = node.Name
			}
		}
		return true
	})
	return name
}

// The socket options are tables: go doc shows what each has in the system's manual, with its form.
func TestNoUnexportedNamesInTheDocumentation(t *testing.T) {
	tables := 0
	for _, s := range sources(t, false) {
		switch {
		case !isPublic(s.dir()) || s.isTest():
		case strings.HasPrefix(s.name, "socket/options_"):
			tables += len(checkUnexported(s))
		default:
			report(t, checkUnexported(s))
		}
	}
	if tables == 0 {
		t.Error("the exception for socket options is not needed any more")
	}
}

func TestCheckUnexported(t *testing.T) {
	expect(t, checkUnexported(mustParse(t, "a.go", `package a

import "errors"

type text string

var ErrA = errors.New("a")
var ErrB error = text("b")
var errC = text("c")
const C = iota
`)), "a.go:8: go doc shows ErrB with the unexported name text")
}
