package vet

import (
	"go/ast"
	"go/types"

	"golang.org/x/tools/go/analysis"
)

var contexts = &analysis.Analyzer{
	Name: "curioctx",
	Doc: `find calls of Curio that get the context of another function

A context says who calls: the task, and the timeouts around it. A closure that has a context of its own
and waits with the one of the function around it is not reached by its own timeout or cancellation, and
locks are taken in the name of another task. The fix is to use the closure's context.

Spawning tasks with an outer context is not reported: that is how a task outlives a timeout.`,
	Requires: []*analysis.Analyzer{prepare},
	Run:      runContexts,
}

func runContexts(pass *analysis.Pass) (any, error) {
	u := pass.ResultOf[prepare].(*unit)
	for _, f := range u.functions {
		with := f // the function whose context f has
		for with != nil && !with.own {
			with = with.outer
		}
		if with == nil || with.outer == nil {
			continue
		}
		for cur := range f.nodes((*ast.CallExpr)(nil)) {
			call := cur.Node().(*ast.CallExpr)
			fn := u.callee(call)
			if !isCurio(fn) || !takesContext(fn) || !blocks(fn) && fn.Name() != "Release" && fn.Name() != "ReleaseRead" ||
				isOfRoot(fn, "Start", "StartIn", "CheckCancellation") {
				continue
			}
			id, ok := ast.Unparen(call.Args[0]).(*ast.Ident)
			if ok && isFromOutside(u.info.ObjectOf(id), with) {
				u.reportContext(pass, f, call, id)
			}
		}
	}
	return nil, nil
}

// isFromOutside reports whether o is a variable of a function around f.
func isFromOutside(o types.Object, f *function) bool {
	v, ok := o.(*types.Var)
	if !ok || v.IsField() || v.Pkg() == nil || v.Parent() == v.Pkg().Scope() {
		return false
	}
	return v.Pos() < f.node.Pos() || v.Pos() > f.node.End()
}

func (u *unit) reportContext(pass *analysis.Pass, f *function, call *ast.CallExpr, id *ast.Ident) {
	d := analysis.Diagnostic{
		Pos: id.Pos(), End: id.End(),
		Message: text(call.Fun) + " gets " + id.Name + " of an outer function, and not the context of the function that calls it",
	}
	if own := u.contextAt(f, id.Pos()); own != "" && own != id.Name {
		d.Message = text(call.Fun) + " gets " + id.Name + " of an outer function: use " + own
		d.SuggestedFixes = []analysis.SuggestedFix{{
			Message:   "Use " + own,
			TextEdits: []analysis.TextEdit{{Pos: id.Pos(), End: id.End(), NewText: []byte(own)}},
		}}
	}
	pass.Report(d)
}
