package vet

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/types/typeutil"
)

const curioPath = "github.com/curio-go/curio"

func isContext(t types.Type) bool { return isNamed(t, "context", "Context") }

// isNamed reports whether t is the named type, or a pointer to it.
func isNamed(t types.Type, path, name string) bool {
	if t == nil {
		return false
	}
	if pointer, ok := types.Unalias(t).(*types.Pointer); ok {
		t = pointer.Elem()
	}
	named, ok := types.Unalias(t).(*types.Named)
	if !ok || named.Obj().Pkg() == nil {
		return false
	}
	return named.Obj().Name() == name && named.Obj().Pkg().Path() == path
}

func isError(t types.Type) bool { return types.Identical(t, types.Universe.Lookup("error").Type()) }

// callee returns the function or method that call calls, nil if that is not known.
func (u *unit) callee(call *ast.CallExpr) *types.Func {
	fn, _ := typeutil.Callee(u.info, call).(*types.Func)
	if fn == nil {
		return nil
	}
	return fn.Origin()
}

// calls returns the full name of what call calls, such as "time.Sleep" or "(*sync.WaitGroup).Wait", or "".
func (u *unit) calls(call *ast.CallExpr) string {
	if fn := u.callee(call); fn != nil {
		return fn.FullName()
	}
	return ""
}

// calledName returns the name of the function or method in call, without what is before it.
func calledName(call *ast.CallExpr) string {
	fun := ast.Unparen(call.Fun)
	switch index := fun.(type) {
	case *ast.IndexExpr:
		fun = index.X
	case *ast.IndexListExpr:
		fun = index.X
	}
	switch fun := fun.(type) {
	case *ast.Ident:
		return fun.Name
	case *ast.SelectorExpr:
		return fun.Sel.Name
	}
	return ""
}

// object returns the variable that e is: a local one, a package's, or a field. It is nil for other expressions.
func (u *unit) object(e ast.Expr) types.Object {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		if v, ok := u.info.ObjectOf(e).(*types.Var); ok {
			return v
		}
	case *ast.SelectorExpr:
		if v, ok := u.info.ObjectOf(e.Sel).(*types.Var); ok {
			return v
		}
	case *ast.UnaryExpr:
		if e.Op == token.AND {
			return u.object(e.X)
		}
	case *ast.StarExpr:
		return u.object(e.X)
	}
	return nil
}

// isLocal reports whether the object is a variable of f or of a function around it, and no parameter.
func (f *function) isLocal(o types.Object) bool {
	v, ok := o.(*types.Var)
	if !ok || v.IsField() {
		return false
	}
	outermost := f.outermost()
	if v.Pos() < outermost.body.Node().Pos() || v.Pos() > outermost.body.Node().End() {
		return false
	}
	for ; f != nil; f = f.outer {
		if slices.Contains(slices.Collect(f.sig.Params().Variables()), v) {
			return false
		}
	}
	return true
}

// isCurio reports whether fn is an exported function or method of ours.
func isCurio(fn *types.Func) bool {
	if fn == nil || fn.Pkg() == nil || !fn.Exported() {
		return false
	}
	path := fn.Pkg().Path()
	return path == curioPath || strings.HasPrefix(path, curioPath+"/")
}

// isOfRoot reports whether fn is a function of package curio with one of the names.
func isOfRoot(fn *types.Func, names ...string) bool {
	return fn != nil && fn.Pkg() != nil && fn.Pkg().Path() == curioPath && fn.Signature().Recv() == nil && slices.Contains(names, fn.Name())
}

// takesContext reports whether the first parameter is a context.
func takesContext(fn *types.Func) bool {
	return fn != nil && fn.Signature().Params().Len() > 0 && isContext(fn.Signature().Params().At(0).Type())
}

// fails reports whether the last result of fn is an error.
func fails(fn *types.Func) bool {
	n := fn.Signature().Results().Len()
	return n > 0 && isError(fn.Signature().Results().At(n-1).Type())
}

// blocks reports whether fn is of ours and waits, or returns an iterator that does.
func blocks(fn *types.Func) bool {
	if !isCurio(fn) || !takesContext(fn) || isOfRoot(fn, "CheckCancellation", "TrySelect") {
		return false
	}
	n := fn.Signature().Results().Len()
	return fails(fn) || n == 1 && isNamed(fn.Signature().Results().At(0).Type(), "iter", "Seq2")
}

// mentions reports whether the node, or a closure in it, names the object.
func (u *unit) mentions(node ast.Node, o types.Object) bool {
	return u.any(node, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		return ok && u.info.ObjectOf(id) == o
	})
}

// mentionsContext reports whether the node has an expression in it that is a context, other than one that never ends.
func (u *unit) mentionsContext(node ast.Node) bool {
	return u.any(node, func(n ast.Node) bool {
		e, ok := n.(ast.Expr)
		if !ok || u.info.TypeOf(e) == nil || !isContext(u.info.TypeOf(e)) {
			return false
		}
		call, ok := e.(*ast.CallExpr)
		return !ok || u.calls(call) != "context.Background" && u.calls(call) != "context.TODO"
	})
}

// any reports whether is holds for a node at or below the given one.
func (u *unit) any(node ast.Node, is func(ast.Node) bool) bool {
	found := false
	ast.Inspect(node, func(n ast.Node) bool {
		found = found || n != nil && is(n)
		return !found
	})
	return found
}

// heeds reports whether the function f is in, with all its closures, looks after ctx by itself somewhere: it waits for
// the end of a context, or has something done then.
func (u *unit) heeds(f *function) bool {
	return u.any(f.outermost().node, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		return ok && (u.isDoneCall(call) || u.calls(call) == "context.AfterFunc" || calledName(call) == "NotifyContext")
	})
}

// isDoneCall reports whether call is ctx.Done(), with any context, or a method of the same name that returns a channel.
func (u *unit) isDoneCall(call *ast.CallExpr) bool {
	if calledName(call) != "Done" || len(call.Args) > 0 {
		return false
	}
	_, ok := u.info.TypeOf(call).Underlying().(*types.Chan)
	return ok
}

// text returns e as it is written, if it is short: names with dots between them.
func text(e ast.Expr) string {
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		if x := text(e.X); x != "" {
			return x + "." + e.Sel.Name
		}
		return e.Sel.Name
	case *ast.CallExpr:
		if fun := text(e.Fun); fun != "" {
			return fun + "()"
		}
	case *ast.IndexExpr:
		if x := text(e.X); x != "" {
			return x + "[…]"
		}
	}
	return ""
}
