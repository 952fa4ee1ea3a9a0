package vet

import (
	"go/ast"
	"slices"

	"golang.org/x/tools/go/analysis"
)

var locks = &analysis.Analyzer{
	Name: "lockwait",
	Doc: `find mutexes that are locked while the function waits

Whatever else wants a sync.Mutex or sync.RWMutex waits for as long as its holder does, and
that wait cannot be cancelled. A wait is a call of Curio that takes a context, or a channel operation in
a function that has a context. Unlock the mutex before, or use a curio.Lock, for which waiting can
be cancelled.`,
	Requires: []*analysis.Analyzer{prepare},
	Run:      runLocks,
}

// unlockOf has the method that undoes each one that locks.
var unlockOf = map[string]string{
	"(*sync.Mutex).Lock":    "(*sync.Mutex).Unlock",
	"(*sync.RWMutex).Lock":  "(*sync.RWMutex).Unlock",
	"(*sync.RWMutex).RLock": "(*sync.RWMutex).RUnlock",
}

func runLocks(pass *analysis.Pass) (any, error) {
	u := pass.ResultOf[prepare].(*unit)
	for _, f := range u.functions {
		var waits map[ast.Node]string
		for cur := range f.nodes((*ast.CallExpr)(nil)) {
			lock := cur.Node().(*ast.CallExpr)
			unlock := unlockOf[u.calls(lock)]
			selector, ok := ast.Unparen(lock.Fun).(*ast.SelectorExpr)
			if unlock == "" || !ok || isDeferred(cur) || text(selector.X) == "" {
				continue
			}
			if waits == nil {
				waits = u.waitsOf(f)
			}
			if len(waits) > 0 {
				u.reportWaits(pass, f, lock, unlock, waits)
			}
		}
	}
	return nil, nil
}

// reportWaits reports the first wait that can come after lock and before unlock, if there is one.
func (u *unit) reportWaits(pass *analysis.Pass, f *function, lock *ast.CallExpr, unlock string, waits map[ast.Node]string) {
	mutex := text(ast.Unparen(lock.Fun).(*ast.SelectorExpr).X)
	var found []ast.Node
	forward(u.graph(f), lock, func(n ast.Node) bool {
		if _, deferred := n.(*ast.DeferStmt); deferred {
			return true
		}
		held := true
		inspectOwn(n, func(n ast.Node) bool {
			if held && waits[n] != "" {
				found = append(found, n)
			}
			if call, ok := n.(*ast.CallExpr); ok && u.calls(call) == unlock && text(ast.Unparen(call.Fun).(*ast.SelectorExpr).X) == mutex {
				held = false
			}
			return true
		})
		return held
	})
	if len(found) == 0 {
		return
	}
	first := slices.MinFunc(found, func(a, b ast.Node) int { return int(a.Pos() - b.Pos()) })
	pass.Report(analysis.Diagnostic{
		Pos: first.Pos(), End: first.End(),
		Message: mutex + " is locked while the function waits for " + waits[first] + ": unlock it before, or use a curio.Lock",
		Related: []analysis.RelatedInformation{{Pos: lock.Pos(), End: lock.End(), Message: "it is locked here"}},
	})
}
