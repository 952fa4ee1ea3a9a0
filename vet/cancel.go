package vet

import (
	"go/ast"
	"go/types"

	"golang.org/x/tools/go/analysis"
)

var cancels = &analysis.Analyzer{
	Name: "curiocancel",
	Doc: `find contexts of Curio whose cancel function is forgotten

The cancel function that curio.WithTimeout and curio.UntilStop return has to be called, however the
function ends: defer cancel(). Otherwise the context stays until the one around it ends. This is
what lostcancel of go vet is for the functions of package context.`,
	Requires: []*analysis.Analyzer{prepare},
	Run:      runCancels,
}

func runCancels(pass *analysis.Pass) (any, error) {
	u := pass.ResultOf[prepare].(*unit)
	for _, f := range u.functions {
		for cur := range f.nodes((*ast.AssignStmt)(nil), (*ast.ValueSpec)(nil)) {
			call, cancel := cancelOf(cur.Node())
			if cancel == nil || !isOfRoot(u.callee(call), "WithTimeout", "UntilStop") {
				continue
			}
			name := text(call.Fun)
			if cancel.Name == "_" {
				pass.ReportRangef(cancel, "the cancel function of %s is discarded: call it when the context is not needed any more", name)
				continue
			}
			v := u.info.ObjectOf(cancel)
			if v == nil || !f.isLocal(v) || v.Pos() < f.body.Node().Pos() {
				continue // others may call it
			}
			if u.isForgotten(f, cur.Node(), v) {
				pass.ReportRangef(cancel, "the cancel function of %s is not called on all paths: write defer %s()", name, cancel.Name)
			}
		}
	}
	return nil, nil
}

// cancelOf returns the call in an assignment or declaration of two variables, and the second variable.
func cancelOf(n ast.Node) (call *ast.CallExpr, cancel *ast.Ident) {
	switch n := n.(type) {
	case *ast.AssignStmt:
		if len(n.Lhs) == 2 && len(n.Rhs) == 1 {
			call, _ = n.Rhs[0].(*ast.CallExpr)
			cancel, _ = n.Lhs[1].(*ast.Ident)
		}
	case *ast.ValueSpec:
		if len(n.Names) == 2 && len(n.Values) == 1 {
			call, _ = n.Values[0].(*ast.CallExpr)
			cancel = n.Names[1]
		}
	}
	if call == nil {
		return nil, nil
	}
	return call, cancel
}

// isForgotten reports whether f can return after the node without having named v.
func (u *unit) isForgotten(f *function, after ast.Node, v types.Object) bool {
	forgotten := false
	forward(u.graph(f), after, func(n ast.Node) bool {
		if u.mentions(n, v) {
			return false
		}
		if _, ok := n.(*ast.ReturnStmt); ok {
			forgotten = true
		}
		return true
	})
	return forgotten
}
