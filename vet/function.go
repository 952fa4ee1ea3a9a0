package vet

import (
	"go/ast"
	"go/token"
	"go/types"
	"iter"
	"reflect"
	"strings"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/inspect"
	"golang.org/x/tools/go/ast/edge"
	"golang.org/x/tools/go/ast/inspector"
)

// prepare finds the functions of a package and the contexts that they have. All other analyzers need it.
var prepare = &analysis.Analyzer{
	Name:       "curioprepare",
	Doc:        "find the functions of a package and their contexts",
	Requires:   []*analysis.Analyzer{inspect.Analyzer},
	ResultType: reflect.TypeFor[*unit](),
	Run:        func(pass *analysis.Pass) (any, error) { return newUnit(pass), nil },
}

// A unit is a package with its functions.
type unit struct {
	pkg       *types.Package
	info      *types.Info
	functions []*function // outer ones before inner ones
	channels  map[types.Object]*channel
	closures  map[types.Object]*ast.FuncLit // the one that a variable has
	byNode    map[ast.Node]*function
	fromCalls map[types.Object]bool // variables whose value comes from a call that has a context
}

// A timing says when a closure runs.
type timing int

const (
	here    timing = iota // where it is written
	started               // in a goroutine of its own
	later                 // when the function around it may have returned, or as the last thing that it does
)

// A function is a function declaration or a closure.
type function struct {
	node ast.Node // *ast.FuncDecl or *ast.FuncLit
	cur  inspector.Cursor
	body inspector.Cursor
	sig  *types.Signature
	file *ast.File

	outer *function  // the function around a closure; nil for a declaration
	own   bool       // it has a context as a parameter, perhaps without a name
	ctx   *types.Var // that parameter, or the one of the function around it; nil if there is none with a name
	when  timing
}

func newUnit(pass *analysis.Pass) *unit {
	u := &unit{pkg: pass.Pkg, info: pass.TypesInfo, channels: map[types.Object]*channel{}, closures: map[types.Object]*ast.FuncLit{}, byNode: map[ast.Node]*function{}, fromCalls: map[types.Object]bool{}}
	root := pass.ResultOf[inspect.Analyzer].(*inspector.Inspector).Root()
	calls := u.callTimes(root)
	for file := range root.Children() {
		if ast.IsGenerated(file.Node().(*ast.File)) {
			continue
		}
		for cur := range file.Preorder((*ast.FuncDecl)(nil), (*ast.FuncLit)(nil)) {
			if f := u.newFunction(cur, calls); f != nil {
				f.file = file.Node().(*ast.File)
				u.byNode[f.node] = f
				u.functions = append(u.functions, f)
			}
		}
	}
	u.findChannels(root)
	return u
}

// newFunction returns the function at cur, nil if it has no body.
func (u *unit) newFunction(cur inspector.Cursor, calls map[types.Object]timing) *function {
	f := &function{node: cur.Node(), cur: cur}
	var body *ast.BlockStmt
	switch node := f.node.(type) {
	case *ast.FuncDecl:
		body = node.Body
		if fn, ok := u.info.Defs[node.Name].(*types.Func); ok {
			f.sig = fn.Signature()
		}
	case *ast.FuncLit:
		body = node.Body
		f.sig, _ = u.info.TypeOf(node).(*types.Signature)
		f.outer = u.functionAt(cur.Parent())
	}
	if body == nil || f.sig == nil {
		return nil
	}
	f.body = cur.Child(body)
	for v := range f.sig.Params().Variables() {
		if isContext(v.Type()) {
			f.own = true
			if f.ctx == nil && v.Name() != "" && v.Name() != "_" {
				f.ctx = v
			}
		}
	}
	if f.outer != nil && !f.own {
		f.ctx = f.outer.ctx
		f.when = max(f.outer.when, u.timingOf(cur, calls))
	}
	return f
}

// functionAt returns the function that cur is in, nil if it is in none.
func (u *unit) functionAt(cur inspector.Cursor) *function {
	for around := range cur.Enclosing((*ast.FuncDecl)(nil), (*ast.FuncLit)(nil)) {
		return u.byNode[around.Node()]
	}
	return nil
}

// callTimes returns, for variables that are called by go or defer or are returned, when that is.
func (u *unit) callTimes(root inspector.Cursor) map[types.Object]timing {
	calls := map[types.Object]timing{}
	note := func(e ast.Expr, when timing) {
		if id, ok := ast.Unparen(e).(*ast.Ident); ok {
			if v, ok := u.info.Uses[id].(*types.Var); ok {
				calls[v] = max(calls[v], when)
			}
		}
	}
	for cur := range root.Preorder((*ast.GoStmt)(nil), (*ast.DeferStmt)(nil), (*ast.ReturnStmt)(nil)) {
		switch stmt := cur.Node().(type) {
		case *ast.GoStmt:
			note(stmt.Call.Fun, started)
		case *ast.DeferStmt:
			note(stmt.Call.Fun, later)
		case *ast.ReturnStmt:
			for _, result := range stmt.Results {
				note(result, later)
			}
		}
	}
	return calls
}

// timingOf says when the closure at cur runs.
func (u *unit) timingOf(cur inspector.Cursor, calls map[types.Object]timing) timing {
	kind, index := cur.ParentEdge()
	switch parent := cur.Parent(); kind {
	case edge.CallExpr_Fun:
		switch parent.Parent().Node().(type) {
		case *ast.GoStmt:
			return started
		case *ast.DeferStmt:
			return later
		}
	case edge.CallExpr_Args:
		return timingOfArgument(parent.Node().(*ast.CallExpr))
	case edge.ReturnStmt_Results, edge.KeyValueExpr_Value, edge.CompositeLit_Elts:
		return later
	case edge.AssignStmt_Rhs:
		stmt := parent.Node().(*ast.AssignStmt)
		if len(stmt.Lhs) != len(stmt.Rhs) {
			return here
		}
		id, ok := stmt.Lhs[index].(*ast.Ident)
		if !ok {
			return later
		}
		u.closures[u.info.ObjectOf(id)] = cur.Node().(*ast.FuncLit)
		return calls[u.info.ObjectOf(id)]
	}
	return here
}

// timingOfArgument says when a closure runs that is an argument of call.
func timingOfArgument(call *ast.CallExpr) timing {
	switch name := calledName(call); {
	case name == "Go", name == "TryGo", name == "Submit":
		return started
	case strings.HasSuffix(name, "AfterFunc"), name == "Cleanup", strings.HasPrefix(name, "Once"), strings.HasPrefix(name, "On"),
		strings.HasPrefix(name, "Set"), strings.HasPrefix(name, "Register"), strings.HasPrefix(name, "Handle"),
		strings.HasPrefix(name, "Add"), strings.HasPrefix(name, "With"), strings.HasPrefix(name, "New"):
		return later
	}
	return here
}

// nodes iterates over the nodes of f, without the nodes of the closures in it.
func (f *function) nodes(types ...ast.Node) iter.Seq[inspector.Cursor] {
	wanted := map[reflect.Type]bool{}
	for _, t := range types {
		wanted[reflect.TypeOf(t)] = true
	}
	return func(yield func(inspector.Cursor) bool) {
		stopped := false
		f.body.Inspect(nil, func(c inspector.Cursor) bool {
			if stopped {
				return false
			}
			if wanted[reflect.TypeOf(c.Node())] && !yield(c) {
				stopped = true
			}
			_, closure := c.Node().(*ast.FuncLit)
			return !stopped && !closure
		})
	}
}

// outermost returns the function declaration that f is in, or the closure if it is in none.
func (f *function) outermost() *function {
	for f.outer != nil {
		f = f.outer
	}
	return f
}

// results returns what a return statement of f needs before an error, such as "nil, ". It is not ok if the last result is
// no error, or if another one has no zero value that is simple to write.
func (f *function) results(pkg *types.Package) (before string, ok bool) {
	n := f.sig.Results().Len()
	if n == 0 || !isError(f.sig.Results().At(n-1).Type()) {
		return "", false
	}
	for i := range n - 1 {
		text, ok := zero(f.sig.Results().At(i).Type(), pkg)
		if !ok {
			return "", false
		}
		before += text + ", "
	}
	return before, true
}

// zero returns an expression for the zero value of t.
func zero(t types.Type, pkg *types.Package) (text string, ok bool) {
	if _, ok := types.Unalias(t).(*types.TypeParam); ok {
		return "", false
	}
	switch under := t.Underlying().(type) {
	case *types.Basic:
		switch info := under.Info(); {
		case info&types.IsBoolean != 0:
			return "false", true
		case info&types.IsString != 0:
			return `""`, true
		case info&types.IsNumeric != 0:
			return "0", true
		}
	case *types.Pointer, *types.Slice, *types.Map, *types.Chan, *types.Signature, *types.Interface:
		return "nil", true
	case *types.Struct:
		if named, ok := t.(*types.Named); ok && named.Obj().Pkg() == pkg && named.TypeArgs().Len() == 0 && named.Obj().Parent() == pkg.Scope() {
			return named.Obj().Name() + "{}", true
		}
	}
	return "", false
}

// waiting iterates over the functions that have a context and should heed it while they wait. Tests are left out, as
// they wait for what they have arranged themselves, and so is what runs when the context may be over.
func (u *unit) waiting(pass *analysis.Pass) iter.Seq[*function] {
	return func(yield func(*function) bool) {
		for _, f := range u.functions {
			test := strings.HasSuffix(pass.Fset.Position(f.file.Package).Filename, "_test.go")
			if f.ctx != nil && f.when != later && !test && !yield(f) {
				return
			}
		}
	}
}

// contextAt returns the name of the context of f at pos, "" if another variable hides it.
func (u *unit) contextAt(f *function, pos token.Pos) string {
	if f.ctx == nil {
		return ""
	}
	_, found := u.pkg.Scope().Innermost(pos).LookupParent(f.ctx.Name(), pos)
	if v, ok := found.(*types.Var); ok && isContext(v.Type()) {
		return v.Name()
	}
	return ""
}
