package vet

import (
	"go/ast"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/analysis"
)

var loops = &analysis.Analyzer{
	Name: "curioloop",
	Doc: `find endless loops that swallow a cancellation

When the context is done, each call with it fails, at once. A loop without an end that goes on
after any error of such a call, or does not look at the error, then keeps a processor busy, and the
task never ends:

	for {
		conn, err := listener.Accept(ctx)
		if err != nil {
			log.Print(err)
			continue
		}
		…
	}

Return the error if ctx.Err() is not nil.`,
	Requires: []*analysis.Analyzer{prepare},
	Run:      runLoops,
}

func runLoops(pass *analysis.Pass) (any, error) {
	u := pass.ResultOf[prepare].(*unit)
	for _, f := range u.functions {
		for cur := range f.nodes((*ast.ForStmt)(nil)) {
			loop := cur.Node().(*ast.ForStmt)
			if loop.Cond != nil {
				continue
			}
			if call := u.swallowed(loop); call != nil {
				pass.ReportRangef(call, "when %s is done, this loop goes on for ever: it swallows the error of %s", text(call.Args[0]), text(call.Fun))
			}
		}
	}
	return nil, nil
}

// swallowed returns a call in the loop that fails when the context of the function is done, and after which the loop goes
// on in that case; nil if there is none.
func (u *unit) swallowed(loop *ast.ForStmt) *ast.CallExpr {
	list := loop.Body.List
	for i, stmt := range list {
		var next ast.Stmt
		if i+1 < len(list) {
			next = list[i+1]
		}
		if call := u.ignored(loop, stmt); call != nil && !u.leaves(loop.Body) {
			return call
		}
		if call, branch, after := u.checked(loop, stmt, next); call != nil {
			last := i+after == len(list)-1
			if !u.leaves(branch) && (last || u.endsWithContinue(branch)) {
				return call
			}
		}
		if u.leaves(stmt) {
			return nil
		}
	}
	return nil
}

// ignored returns the call of ours in stmt whose error is not looked at.
func (u *unit) ignored(loop *ast.ForStmt, stmt ast.Stmt) *ast.CallExpr {
	var e ast.Expr
	switch stmt := stmt.(type) {
	case *ast.ExprStmt:
		e = stmt.X
	case *ast.AssignStmt:
		if len(stmt.Rhs) != 1 || !isBlank(stmt.Lhs[len(stmt.Lhs)-1]) {
			return nil
		}
		e = stmt.Rhs[0]
	}
	call, ok := e.(*ast.CallExpr)
	if !ok || !u.failsWithContext(loop, call) || !blocks(u.callee(call)) {
		return nil
	}
	return call
}

func isBlank(e ast.Expr) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == "_"
}

// checked returns the call in stmt whose error is looked at in stmt itself or in the next one, and what is done then. after
// is how many statements further that is.
func (u *unit) checked(loop *ast.ForStmt, stmt, next ast.Stmt) (call *ast.CallExpr, branch *ast.BlockStmt, after int) {
	check, ok := stmt.(*ast.IfStmt)
	if ok {
		stmt = check.Init
	} else if check, ok = next.(*ast.IfStmt); ok && check.Init == nil {
		after = 1
	} else {
		return nil, nil, 0
	}
	assign, ok := stmt.(*ast.AssignStmt)
	if !ok || len(assign.Rhs) != 1 || check.Else != nil {
		return nil, nil, 0
	}
	call, ok = assign.Rhs[0].(*ast.CallExpr)
	id, isIdent := assign.Lhs[len(assign.Lhs)-1].(*ast.Ident)
	if !ok || !isIdent || !u.failsWithContext(loop, call) {
		return nil, nil, 0
	}
	cond, ok := check.Cond.(*ast.BinaryExpr)
	if !ok || cond.Op != token.NEQ || u.object(cond.X) == nil || u.object(cond.X) != u.info.ObjectOf(id) || !u.info.Types[cond.Y].IsNil() {
		return nil, nil, 0
	}
	return call, check.Body, after
}

// failsWithContext reports whether call gets a context that was there before the loop, and returns an error.
func (u *unit) failsWithContext(loop *ast.ForStmt, call *ast.CallExpr) bool {
	fn := u.callee(call)
	if !takesContext(fn) || !fails(fn) || len(call.Args) == 0 {
		return false
	}
	o := u.object(call.Args[0])
	if o == nil || loop.Pos() <= o.Pos() && o.Pos() < loop.End() {
		return false
	}
	return !u.any(loop, func(n ast.Node) bool { // it is made anew in each round
		assign, ok := n.(*ast.AssignStmt)
		return ok && u.object(assign.Lhs[0]) == o
	})
}

// leaves reports whether the loop may be left in n, or whether n looks at what kind of error there is or at the context.
func (u *unit) leaves(n ast.Node) bool {
	leaves := false
	inspectOwn(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ReturnStmt:
			leaves = true
		case *ast.BranchStmt:
			leaves = leaves || n.Tok == token.BREAK || n.Tok == token.GOTO || n.Tok == token.CONTINUE && n.Label != nil
		case *ast.CallExpr:
			leaves = leaves || u.ends(n) || u.isDoneCall(n) || u.asks(n)
		}
		return !leaves
	})
	return leaves
}

// asks reports whether call is a question about an error or a context.
func (u *unit) asks(call *ast.CallExpr) bool {
	switch name := u.calls(call); name {
	case "errors.Is", "errors.As", "errors.AsType", "(context.Context).Err", "context.Cause", curioPath + ".CheckCancellation", curioPath + ".WhoCancelled":
		return true
	}
	fn := u.callee(call)
	if fn == nil { // a function in a variable: anything may be in it
		_, isType := u.info.TypeOf(call.Fun).(*types.Signature)
		return isType && !u.info.Types[call.Fun].IsBuiltin()
	}
	// A function that gets an error and returns a bool tells whether to go on.
	results := fn.Signature().Results()
	return results.Len() == 1 && types.Identical(results.At(0).Type(), types.Typ[types.Bool])
}

// endsWithContinue reports whether the last statement of the block goes on with the loop.
func (u *unit) endsWithContinue(b *ast.BlockStmt) bool {
	if len(b.List) == 0 {
		return false
	}
	branch, ok := b.List[len(b.List)-1].(*ast.BranchStmt)
	return ok && branch.Tok == token.CONTINUE && branch.Label == nil
}
