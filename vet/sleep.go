package vet

import (
	"go/ast"
	"go/token"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/ast/edge"
	"golang.org/x/tools/go/ast/inspector"
)

var sleep = &analysis.Analyzer{
	Name: "ctxsleep",
	Doc: `find sleeps that ignore the context

time.Sleep, and <-time.After outside of a select, go on when the context of the function is
done. curio.Sleep ends then, with an error.

The fix is offered where that error can be returned, and in loops of functions without results,
which it ends. It is not offered in a function that unlocks a mutex without defer.`,
	Requires: []*analysis.Analyzer{prepare},
	Run:      runSleep,
}

func runSleep(pass *analysis.Pass) (any, error) {
	u := pass.ResultOf[prepare].(*unit)
	for f := range u.waiting(pass) {
		for cur := range f.nodes((*ast.CallExpr)(nil)) {
			call := cur.Node().(*ast.CallExpr)
			what, node, at := u.calls(call), ast.Node(call), cur
			switch what {
			case "time.Sleep":
			case "time.After":
				receive, ok := cur.Parent().Node().(*ast.UnaryExpr)
				if !ok || receive.Op != token.ARROW || isComm(cur.Parent()) {
					continue
				}
				what, node, at = "<-time.After", receive, cur.Parent()
			default:
				continue
			}
			if isDeferred(cur) || u.isOver(f, cur) {
				continue
			}
			pass.Report(analysis.Diagnostic{
				Pos: node.Pos(), End: node.End(),
				Message:        what + " goes on when " + f.ctx.Name() + " is done: use curio.Sleep",
				SuggestedFixes: u.fixSleep(f, at, call),
			})
		}
	}
	return nil, nil
}

// fixSleep returns the fix that replaces the node at cur, a sleep of the duration that call is given.
func (u *unit) fixSleep(f *function, cur inspector.Cursor, call *ast.CallExpr) []analysis.SuggestedFix {
	statement := cur.Parent()
	switch statement.ParentEdgeKind() {
	case edge.BlockStmt_List, edge.CaseClause_Body, edge.CommClause_Body:
	default:
		return nil
	}
	if _, ok := statement.Node().(*ast.ExprStmt); !ok || u.unlocks(f) {
		return nil
	}
	ctx := u.contextAt(f, cur.Node().Pos())
	curio, imports, ok := u.importCurio(f.file, cur.Node().Pos())
	if ctx == "" || !ok {
		return nil
	}
	before, after := "", ""
	if values, ok := f.results(u.pkg); ok {
		before, after = "if err := "+curio+".Sleep("+ctx+", ", "); err != nil {\nreturn "+values+"err\n}"
	} else if f.sig.Results().Len() == 0 && inLoop(cur) {
		before, after = "if "+curio+".Sleep("+ctx+", ", ") != nil {\nreturn\n}"
	} else {
		return nil
	}
	return []analysis.SuggestedFix{{
		Message: "Use curio.Sleep",
		TextEdits: append(imports,
			analysis.TextEdit{Pos: cur.Node().Pos(), End: call.Args[0].Pos(), NewText: []byte(before)},
			analysis.TextEdit{Pos: call.Args[0].End(), End: cur.Node().End(), NewText: []byte(after)}),
	}}
}

// inLoop reports whether the node at cur is in a loop of its function.
func inLoop(cur inspector.Cursor) bool {
	for c := range cur.Enclosing((*ast.ForStmt)(nil), (*ast.RangeStmt)(nil), (*ast.FuncLit)(nil)) {
		_, closure := c.Node().(*ast.FuncLit)
		return !closure
	}
	return false
}

// unlocks reports whether f unlocks a mutex, and not by defer: then it must not return where it does not do so now.
func (u *unit) unlocks(f *function) bool {
	for cur := range f.nodes((*ast.CallExpr)(nil)) {
		switch calledName(cur.Node().(*ast.CallExpr)) {
		case "Unlock", "RUnlock", "Release":
			if !isDeferred(cur) {
				return true
			}
		}
	}
	return false
}
