package vet

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/ast/edge"
)

var spawns = &analysis.Analyzer{
	Name: "curiospawn",
	Doc: `find tasks that are cancelled at once, because their context is

The context in a function that curio.Run, curio.TimeoutAfter and similar functions call ends when that function
returns, and so does one whose cancel function is deferred. A task that was spawned with it is then cancelled.
This reports tasks if nothing is waited for between their start and that return, so that they are cancelled
before they have done anything. Join the task, spawn it with the context outside of the timeout, or make
it a curio.Daemon.`,
	Requires: []*analysis.Analyzer{prepare},
	Run:      runSpawns,
}

func runSpawns(pass *analysis.Pass) (any, error) {
	u := pass.ResultOf[prepare].(*unit)
	for _, f := range u.functions {
		for cur := range f.nodes((*ast.CallExpr)(nil)) {
			call := cur.Node().(*ast.CallExpr)
			if !isOfRoot(u.callee(call), "Go", "Spawn", "SpawnThread") || isDeferred(cur) || outlives(call) {
				continue
			}
			id, ok := ast.Unparen(call.Args[0]).(*ast.Ident)
			if !ok || !u.endsWith(f, call, u.info.ObjectOf(id)) || u.waitsAfter(f, call) {
				continue
			}
			pass.ReportRangef(call, "this task is cancelled at once: %s ends when the function returns, and nothing is waited for before", id.Name)
		}
	}
	return nil, nil
}

// outlives reports whether a call that spawns a task has options with which the task does not end with the context, or that
// cannot be told.
func outlives(call *ast.CallExpr) bool {
	if call.Ellipsis.IsValid() || len(call.Args) < 2 {
		return true
	}
	for _, option := range call.Args[2:] {
		made, ok := ast.Unparen(option).(*ast.CallExpr)
		if !ok || !slices.Contains([]string{"Name", "ReportCrash", "Essential"}, calledName(made)) {
			return true
		}
	}
	return false
}

// endsWith reports whether the context ctx, with which call spawns a task, ends when f returns.
func (u *unit) endsWith(f *function, call *ast.CallExpr, ctx types.Object) bool {
	if ctx == nil {
		return false
	}
	if f.cur.ParentEdgeKind() == edge.CallExpr_Args && f.own && ctx == f.ctx {
		around := u.callee(f.cur.Parent().Node().(*ast.CallExpr))
		if isOfRoot(around, "Run", "TimeoutAfter", "TimeoutAt", "IgnoreAfter", "IgnoreAt") {
			return true
		}
		if around != nil && isCurio(around) && around.Name() == "Run" && around.Signature().Recv() != nil {
			return true // of a CancelScope or a Kernel
		}
	}
	for cur := range f.nodes((*ast.AssignStmt)(nil)) {
		made, cancel := cancelOf(cur.Node())
		if cancel == nil || cur.Node().Pos() > call.Pos() || u.object(cur.Node().(*ast.AssignStmt).Lhs[0]) != ctx {
			continue
		}
		fn := u.callee(made)
		if fn != nil && (isOfRoot(fn, "WithTimeout") || fn.Pkg() != nil && fn.Pkg().Path() == "context") && u.defers(f, u.info.ObjectOf(cancel)) {
			return true
		}
	}
	return false
}

// defers reports whether f defers a call of v.
func (u *unit) defers(f *function, v types.Object) bool {
	for cur := range f.nodes((*ast.DeferStmt)(nil)) {
		if id, ok := ast.Unparen(cur.Node().(*ast.DeferStmt).Call.Fun).(*ast.Ident); ok && v != nil && u.info.Uses[id] == v {
			return true
		}
	}
	return false
}

// waitsAfter reports whether f may wait for something after call, or when it returns.
func (u *unit) waitsAfter(f *function, call *ast.CallExpr) bool {
	waits := false
	for cur := range f.nodes((*ast.DeferStmt)(nil)) {
		waits = waits || u.mayWait(cur.Node().(*ast.DeferStmt).Call)
	}
	for cur := range f.nodes((*ast.RangeStmt)(nil)) {
		switch u.info.TypeOf(cur.Node().(*ast.RangeStmt).X).Underlying().(type) {
		case *types.Chan, *types.Signature:
			return true
		}
	}
	forward(u.graph(f), call, func(n ast.Node) bool {
		if _, deferred := n.(*ast.DeferStmt); !deferred {
			waits = waits || u.mayWait(n)
		}
		return !waits
	})
	// The node with the call itself: what encloses the call runs after it.
	for c := range f.cur.Preorder((*ast.CallExpr)(nil)) {
		if n := c.Node(); n != call && n.Pos() <= call.Pos() && call.End() <= n.End() && f.node.Pos() < n.Pos() {
			waits = true
		}
	}
	return waits
}

// mayWait reports whether n has a channel operation, or a call of a function that is not known to return at once.
func (u *unit) mayWait(n ast.Node) bool {
	waits := false
	inspectOwn(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SendStmt, *ast.SelectStmt:
			waits = true
		case *ast.UnaryExpr:
			waits = waits || n.Op == token.ARROW
		case *ast.CallExpr:
			waits = waits || !u.isQuick(n)
		}
		return !waits
	})
	return waits
}

// quickPackages are packages whose functions do not wait, apart from time.Sleep.
var quickPackages = []string{"errors", "fmt", "log", "log/slog", "strconv", "strings", "time", "math", "sort", "slices", "maps", "sync/atomic"}

// isQuick reports whether call is certain to return at once.
func (u *unit) isQuick(call *ast.CallExpr) bool {
	if tv := u.info.Types[call.Fun]; tv.IsType() || tv.IsBuiltin() {
		return true
	}
	if t := u.info.TypeOf(call.Fun); isNamed(t, "context", "CancelFunc") || isNamed(t, "context", "CancelCauseFunc") {
		return true
	}
	fn := u.callee(call)
	if fn == nil || fn.Pkg() == nil {
		return false
	}
	if isOfRoot(fn, "Go", "Spawn", "SpawnThread", "Name", "ReportCrash", "Essential", "Daemon", "Service") {
		return true
	}
	return slices.Contains(quickPackages, fn.Pkg().Path()) && fn.FullName() != "time.Sleep" || calledName(call) == "Unlock" && fn.Pkg().Path() == "sync"
}
