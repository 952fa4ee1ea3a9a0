package vet

import (
	"go/ast"
	"go/token"
	"go/types"
	"strings"

	"golang.org/x/tools/go/ast/edge"
	"golang.org/x/tools/go/cfg"
)

// graph returns the flow of control in f.
func (u *unit) graph(f *function) *cfg.CFG {
	return cfg.New(f.body.Node().(*ast.BlockStmt), func(call *ast.CallExpr) bool { return !u.ends(call) })
}

// ends reports whether call does not return.
func (u *unit) ends(call *ast.CallExpr) bool {
	if id, ok := ast.Unparen(call.Fun).(*ast.Ident); ok && u.info.Uses[id] == types.Universe.Lookup("panic") {
		return true
	}
	switch name := u.calls(call); name {
	case "os.Exit", "runtime.Goexit", "log.Fatal", "log.Fatalf", "log.Fatalln", curioPath + ".Exit":
		return true
	default:
		return strings.HasPrefix(name, "(*testing.common).Fatal") || strings.HasPrefix(name, "(*testing.common).Skip") || name == "(*testing.common).FailNow"
	}
}

// forward calls visit for the nodes that may run after from, each once. What comes after a node is not visited if visit
// returns false for it.
func forward(g *cfg.CFG, from ast.Node, visit func(ast.Node) bool) {
	seen := map[*cfg.Block]bool{}
	var next func(b *cfg.Block, nodes []ast.Node)
	next = func(b *cfg.Block, nodes []ast.Node) {
		for _, n := range nodes {
			if !visit(n) {
				return
			}
		}
		for _, s := range b.Succs {
			if !seen[s] {
				seen[s] = true
				next(s, s.Nodes)
			}
		}
	}
	for _, b := range g.Blocks {
		for i, n := range b.Nodes {
			if n.Pos() <= from.Pos() && from.End() <= n.End() {
				next(b, b.Nodes[i+1:])
				return
			}
		}
	}
}

// inspectOwn calls visit for n and what is below it, without closures, until it returns false.
func inspectOwn(n ast.Node, visit func(ast.Node) bool) {
	ast.Inspect(n, func(n ast.Node) bool {
		if _, closure := n.(*ast.FuncLit); closure || n == nil {
			return false
		}
		return visit(n)
	})
}

// waitsOf returns the expressions and statements of f that wait, each with what it waits for.
func (u *unit) waitsOf(f *function) map[ast.Node]string {
	waits := map[ast.Node]string{}
	for cur := range f.nodes((*ast.CallExpr)(nil), (*ast.SendStmt)(nil), (*ast.UnaryExpr)(nil), (*ast.RangeStmt)(nil), (*ast.CommClause)(nil)) {
		if isDeferred(cur) {
			continue
		}
		switch node := cur.Node().(type) {
		case *ast.CallExpr:
			if _, ok := cur.Parent().Node().(*ast.GoStmt); ok {
				continue
			}
			if fn := u.callee(node); blocks(fn) {
				waits[node] = text(node.Fun)
			}
		case *ast.CommClause:
			if node.Comm != nil && f.ctx != nil && !hasDefault(cur.Parent().Node().(*ast.BlockStmt)) {
				waits[node.Comm] = "a select"
			}
		case *ast.SendStmt:
			if cur.ParentEdgeKind() != edge.CommClause_Comm && f.ctx != nil && u.mayBlock(f, cur, node.Chan) && !u.isOver(f, cur) {
				waits[node] = "a send" + named(" to ", node.Chan)
			}
		case *ast.UnaryExpr:
			if receives(node) && !isComm(cur) && f.ctx != nil && (u.mayHang(f, cur, node.X) && !u.isOver(f, cur) || u.isDone(f, node.X)) {
				waits[node] = "a receive" + named(" from ", node.X)
			}
		case *ast.RangeStmt:
			if _, ok := u.info.TypeOf(node.X).Underlying().(*types.Chan); ok && f.ctx != nil && u.mayHang(f, cur, node.X) && !u.isOver(f, cur) {
				waits[node.X] = "a loop" + named(" over ", node.X)
			}
		}
	}
	return waits
}

func hasDefault(body *ast.BlockStmt) bool {
	for _, clause := range body.List {
		if clause.(*ast.CommClause).Comm == nil {
			return true
		}
	}
	return false
}

// receives reports whether e is a receive from a channel.
func receives(e *ast.UnaryExpr) bool { return e.Op == token.ARROW }
