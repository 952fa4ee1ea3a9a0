package vet

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"slices"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/ast/edge"
)

var groups = &analysis.Analyzer{
	Name: "curiogroup",
	Doc: `find errgroups that can be rewritten as groups of Curio

This reports calls of errgroup.WithContext that the fix can turn into a curio.Group: the functions of
the group become tasks with a context of their own, and the group is always waited for. That is so if
the group is a variable that is used for Go with closures, SetLimit with a constant, and one Wait in
the same block, and if nothing between them leaves the function.

The error of the group changes: curio.Group returns a *curio.TaskGroupError, in which errors.Is and
errors.As find the errors of the tasks. Code that compares the error with == has to change.`,
	Requires: []*analysis.Analyzer{prepare},
	Run:      runGroups,
}

const errgroupPath = "golang.org/x/sync/errgroup"

func runGroups(pass *analysis.Pass) (any, error) {
	u := pass.ResultOf[prepare].(*unit)
	for _, f := range u.functions {
		for cur := range f.nodes((*ast.AssignStmt)(nil)) {
			kind, index := cur.ParentEdge()
			call, ctx := cancelOf(cur.Node()) // it has two results as well
			if kind != edge.BlockStmt_List || ctx == nil || ctx.Name == "_" || u.calls(call) != errgroupPath+".WithContext" {
				continue
			}
			b := &errgroup{u: u, f: f, start: cur.Node().(*ast.AssignStmt), call: call, ctx: ctx.Name}
			list := cur.Parent().Node().(*ast.BlockStmt).List
			if fix := b.fix(list[index+1:], ctx); fix != nil {
				pass.Report(analysis.Diagnostic{
					Pos: call.Pos(), End: call.End(),
					Message:        "this errgroup can be a curio.Group, in which the functions are tasks",
					SuggestedFixes: fix,
				})
			}
		}
	}
	return nil, nil
}

// An errgroup is one that is being rewritten.
type errgroup struct {
	u     *unit
	f     *function
	start *ast.AssignStmt
	call  *ast.CallExpr // of WithContext
	ctx   string        // the name of the context that it returned
	group types.Object
	edits []analysis.TextEdit
}

// fix returns the fix for a group that is followed by the statements rest in its block, nil if there is none.
func (b *errgroup) fix(rest []ast.Stmt, ctx *ast.Ident) []analysis.SuggestedFix {
	curio, imports, ok := b.u.importCurio(b.f.file, b.start.Pos())
	b.group = b.u.object(b.start.Lhs[0])
	end := slices.IndexFunc(rest, func(s ast.Stmt) bool { return b.waitIn(s) != nil })
	if !ok || b.group == nil || b.start.Tok != token.DEFINE || end < 0 || b.contextPackage() == "" {
		return nil
	}
	body, last := rest[:end], rest[end]
	if !b.isSimple(body) || b.isUsedAfter(body, last, rest[end+1:], ctx) {
		return nil
	}
	before, finish, ok := b.around(last)
	if !ok {
		return nil
	}
	g := b.start.Lhs[0].(*ast.Ident).Name
	arg := b.call.Args[0]
	b.edits = append(b.edits, imports...)
	b.edits = append(b.edits,
		analysis.TextEdit{Pos: b.start.Pos(), End: arg.Pos(), NewText: []byte(before + curio + ".Group(")},
		analysis.TextEdit{Pos: arg.End(), End: b.start.End(), NewText: []byte(
			", func(" + b.ctx + " " + b.contextPackage() + ".Context, " + g + " *" + curio + ".Tasks) error {")},
		finish)
	return []analysis.SuggestedFix{{Message: "Use curio.Group", TextEdits: b.edits}}
}

// contextPackage returns the name of package context in the file, "" if it is not imported.
func (b *errgroup) contextPackage() string {
	for _, spec := range b.f.file.Imports {
		if spec.Path.Value == `"context"` {
			if spec.Name == nil {
				return "context"
			}
			if spec.Name.Name != "_" && spec.Name.Name != "." {
				return spec.Name.Name
			}
		}
	}
	return ""
}

// waitIn returns the call of Wait in a statement of the block.
func (b *errgroup) waitIn(s ast.Stmt) *ast.CallExpr {
	var e ast.Expr
	switch s := s.(type) {
	case *ast.ReturnStmt:
		if len(s.Results) == 1 {
			e = s.Results[0]
		}
	case *ast.AssignStmt:
		if len(s.Lhs) == 1 {
			e = s.Rhs[0]
		}
	case *ast.IfStmt:
		if init, ok := s.Init.(*ast.AssignStmt); ok && len(init.Lhs) == 1 {
			e = init.Rhs[0]
		}
	}
	call, ok := e.(*ast.CallExpr)
	if !ok || b.methodOf(call) != "Wait" {
		return nil
	}
	return call
}

// methodOf returns the method of the group that call calls, or "".
func (b *errgroup) methodOf(call *ast.CallExpr) string {
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || b.u.object(selector.X) != b.group {
		return ""
	}
	return selector.Sel.Name
}

// around returns what comes before the call of Group, and the edit that ends it, for the statement that waits.
func (b *errgroup) around(s ast.Stmt) (before string, finish analysis.TextEdit, ok bool) {
	finish = analysis.TextEdit{Pos: s.Pos(), End: s.End(), NewText: []byte("return nil\n})")}
	assign, isAssign := s.(*ast.AssignStmt)
	switch s := s.(type) {
	case *ast.ReturnStmt:
		return "return ", finish, true
	case *ast.IfStmt:
		assign, isAssign = s.Init.(*ast.AssignStmt)
		before = "if "
		finish.End = assign.End()
	}
	if !isAssign {
		return "", finish, false
	}
	id, ok := assign.Lhs[0].(*ast.Ident)
	if !ok {
		return "", finish, false
	}
	return before + id.Name + " " + assign.Tok.String() + " ", finish, true
}

// isSimple reports whether the statements use the group only as the fix can do it, and do not leave the block, and
// collects the edits in them.
func (b *errgroup) isSimple(body []ast.Stmt) bool {
	simple := true
	uses := 0
	for _, s := range body {
		simple = simple && b.stays(s)
		ast.Inspect(s, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.Ident:
				if b.u.info.ObjectOf(n) == b.group {
					uses++
				}
			case *ast.CallExpr:
				switch b.methodOf(n) {
				case "Go":
					fn, ok := n.Args[0].(*ast.FuncLit)
					simple = simple && ok
					if ok {
						uses--
						b.edits = append(b.edits, insert(fn.Type.Params.Opening+1, b.ctx+" "+b.contextPackage()+".Context"))
					}
				case "SetLimit":
					value := b.u.info.Types[n.Args[0]].Value
					simple = simple && value != nil && constant.Sign(value) > 0
					uses--
				}
			}
			return true
		})
	}
	return simple && uses == 0
}

// stays reports whether the statement stays in its block and defers nothing.
func (b *errgroup) stays(s ast.Stmt) bool {
	stays := true
	depth := map[ast.Node]bool{}
	inspectOwn(s, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ReturnStmt, *ast.DeferStmt, *ast.LabeledStmt:
			stays = false
		case *ast.ForStmt:
			depth[n.Body] = true
		case *ast.RangeStmt:
			depth[n.Body] = true
		case *ast.BranchStmt:
			stays = stays && n.Label == nil && n.Tok != token.GOTO && slices.ContainsFunc(keys(depth), func(loop ast.Node) bool {
				return loop.Pos() < n.Pos() && n.End() < loop.End()
			})
		}
		return stays
	})
	return stays
}

func keys(m map[ast.Node]bool) (all []ast.Node) {
	for n := range m {
		all = append(all, n)
	}
	return all
}

// isUsedAfter reports whether what is declared by the body, the group, or its context is used by the last statement, apart
// from waiting, or after it.
func (b *errgroup) isUsedAfter(body []ast.Stmt, last ast.Stmt, rest []ast.Stmt, ctx *ast.Ident) bool {
	declared := []types.Object{b.group}
	if o := b.u.info.Defs[ctx]; o != nil {
		declared = append(declared, o)
	}
	for _, s := range body {
		switch s := s.(type) {
		case *ast.AssignStmt:
			for _, e := range s.Lhs {
				if id, ok := e.(*ast.Ident); ok && s.Tok == token.DEFINE && b.u.info.Defs[id] != nil {
					declared = append(declared, b.u.info.Defs[id])
				}
			}
		case *ast.DeclStmt:
			ast.Inspect(s, func(n ast.Node) bool {
				if id, ok := n.(*ast.Ident); ok && b.u.info.Defs[id] != nil {
					declared = append(declared, b.u.info.Defs[id])
				}
				return true
			})
		}
	}
	for _, o := range declared {
		if slices.ContainsFunc(rest, func(s ast.Stmt) bool { return b.u.mentions(s, o) }) {
			return true
		}
		if o != b.group && b.u.mentions(last, o) {
			return true
		}
	}
	uses := 0 // one is the call of Wait
	ast.Inspect(last, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && b.u.info.ObjectOf(id) == b.group {
			uses++
		}
		return true
	})
	return uses != 1
}
