package policy_test

import (
	"go/ast"
	"maps"
	"slices"
	"testing"
)

// checkDocs returns the exported identifiers of one package that have no doc
// comment. Fields are left out: a struct's own comment often says more about
// them together than a comment on each would.
func checkDocs(files []*source) []string {
	var problems []string
	documented := false
	reachable := embeddedTypes(files)
	for _, s := range files {
		documented = documented || s.tree.Doc != nil
		for _, decl := range s.tree.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				problems = append(problems, checkFuncDoc(s, decl, reachable)...)
			case *ast.GenDecl:
				problems = append(problems, checkGenDoc(s, decl)...)
			}
		}
	}
	if !documented {
		s := files[0]
		problems = append(problems, s.problem(s.tree.Package, "package %s has no package comment in any file", s.tree.Name.Name))
	}
	return problems
}

// embeddedTypes returns the unexported types that are embedded somewhere:
// users reach their exported methods, and godoc shows them.
func embeddedTypes(files []*source) map[string]bool {
	names := map[string]bool{}
	for _, s := range files {
		ast.Inspect(s.tree, func(node ast.Node) bool {
			if st, ok := node.(*ast.StructType); ok {
				for _, field := range st.Fields.List {
					if len(field.Names) == 0 {
						names[typeName(field.Type)] = true
					}
				}
			}
			return true
		})
	}
	return names
}

// typeName strips pointers, type arguments and parentheses off a type.
func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.StarExpr:
		return typeName(e.X)
	case *ast.ParenExpr:
		return typeName(e.X)
	case *ast.IndexExpr:
		return typeName(e.X)
	case *ast.IndexListExpr:
		return typeName(e.X)
	}
	return ""
}

func checkFuncDoc(s *source, decl *ast.FuncDecl, reachable map[string]bool) []string {
	if !decl.Name.IsExported() || decl.Doc != nil {
		return nil
	}
	if decl.Recv == nil {
		return []string{s.problem(decl.Pos(), "func %s has no doc comment", decl.Name.Name)}
	}
	receiver := typeName(decl.Recv.List[0].Type)
	if !ast.IsExported(receiver) && !reachable[receiver] {
		return nil
	}
	return []string{s.problem(decl.Pos(), "method %s.%s has no doc comment", receiver, decl.Name.Name)}
}

// checkGenDoc accepts a comment on a group of constants or variables for all
// of them; a type needs its own.
func checkGenDoc(s *source, decl *ast.GenDecl) []string {
	var problems []string
	for _, spec := range decl.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			alone := decl.Doc != nil && !decl.Lparen.IsValid()
			if spec.Name.IsExported() && spec.Doc == nil && !alone {
				problems = append(problems, s.problem(spec.Pos(), "type %s has no doc comment", spec.Name.Name))
			}
		case *ast.ValueSpec:
			if decl.Doc != nil || spec.Doc != nil || spec.Comment != nil {
				continue
			}
			for _, name := range spec.Names {
				if name.IsExported() {
					problems = append(problems, s.problem(name.Pos(), "%s %s has no doc comment", decl.Tok, name.Name))
				}
			}
		}
	}
	return problems
}

func TestDocs(t *testing.T) {
	packages := publicPackages(t)
	for _, dir := range slices.Sorted(maps.Keys(packages)) {
		report(t, checkDocs(packages[dir]))
	}
}

func TestCheckDocs(t *testing.T) {
	s := mustParse(t, "p/p.go", `package p

func Bare() {}

// Told is documented.
func Told() {}

func private() {}

type Naked struct{}

func (Naked) Method() {}

type inner struct{}

func (inner) Promoted() {}

type secret struct{}

func (secret) Unreachable() {}

// Outer embeds.
type Outer struct{ inner }

// Many types.
type (
	Grouped int
)

const Zero = 0

// A documented group.
const (
	One = iota
	Two
)

var (
	First = 1 // said at the end of the line
	Second = 2
)
`)
	expect(t, checkDocs([]*source{s}),
		"p/p.go:3: func Bare",
		"type Naked",
		"method Naked.Method",
		"method inner.Promoted",
		"type Grouped",
		"const Zero",
		"var Second",
		"package p has no package comment",
	)
}
