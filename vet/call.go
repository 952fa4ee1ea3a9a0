package vet

import (
	"go/ast"
	"go/types"
	"slices"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/ast/inspector"
)

var calls = &analysis.Analyzer{
	Name: "ctxcall",
	Doc: `find calls for which there is a function that takes a context

For example http.NewRequestWithContext in place of http.NewRequest and of http.Get, DialContext of a
net.Dialer in place of net.Dial, QueryContext in place of Query of a sql.DB. The fix is
offered if the arguments are the same apart from the context.`,
	Requires: []*analysis.Analyzer{prepare},
	Run:      runCalls,
}

// A better is what to call in place of a function that takes no context.
type better struct {
	name string // as it is said
	call string // as it is written before the context and the other arguments; "" if they differ
}

// betters has functions.
var betters = map[string]better{
	"net/http.Get":                {"http.NewRequestWithContext", ""},
	"net/http.Head":               {"http.NewRequestWithContext", ""},
	"net/http.Post":               {"http.NewRequestWithContext", ""},
	"net/http.PostForm":           {"http.NewRequestWithContext", ""},
	"(*net/http.Client).Get":      {"http.NewRequestWithContext", ""},
	"(*net/http.Client).Head":     {"http.NewRequestWithContext", ""},
	"(*net/http.Client).Post":     {"http.NewRequestWithContext", ""},
	"(*net/http.Client).PostForm": {"http.NewRequestWithContext", ""},
	"net/http.NewRequest":         {"http.NewRequestWithContext", "NewRequestWithContext"},
	"net.Dial":                    {"DialContext of a net.Dialer", ""},
	"(*net.Dialer).Dial":          {"DialContext", "DialContext"},
	"net.LookupHost":              {"net.DefaultResolver.LookupHost", "DefaultResolver.LookupHost"},
	"net.LookupAddr":              {"net.DefaultResolver.LookupAddr", "DefaultResolver.LookupAddr"},
	"net.LookupCNAME":             {"net.DefaultResolver.LookupCNAME", "DefaultResolver.LookupCNAME"},
	"net.LookupMX":                {"net.DefaultResolver.LookupMX", "DefaultResolver.LookupMX"},
	"net.LookupNS":                {"net.DefaultResolver.LookupNS", "DefaultResolver.LookupNS"},
	"net.LookupSRV":               {"net.DefaultResolver.LookupSRV", "DefaultResolver.LookupSRV"},
	"net.LookupTXT":               {"net.DefaultResolver.LookupTXT", "DefaultResolver.LookupTXT"},
	"net.LookupIP":                {"net.DefaultResolver.LookupIPAddr", ""},
}

// betterOfSQL returns what to call in place of a method of package database/sql.
func betterOfSQL(fn *types.Func) (better, bool) {
	recv := fn.Signature().Recv()
	if recv == nil || fn.Pkg() == nil || fn.Pkg().Path() != "database/sql" {
		return better{}, false
	}
	name := fn.Name()
	switch name {
	case "Exec", "Query", "QueryRow", "Prepare", "Ping":
	default:
		return better{}, false
	}
	for _, of := range []string{"DB", "Tx", "Stmt", "Conn"} {
		if isNamed(recv.Type(), "database/sql", of) {
			return better{name + "Context", name + "Context"}, true
		}
	}
	return better{}, false
}

func runCalls(pass *analysis.Pass) (any, error) {
	u := pass.ResultOf[prepare].(*unit)
	for f := range u.waiting(pass) {
		for cur := range f.nodes((*ast.CallExpr)(nil)) {
			call := cur.Node().(*ast.CallExpr)
			fn := u.callee(call)
			if fn == nil || isDeferred(cur) {
				continue
			}
			use, ok := betters[fn.FullName()]
			if !ok {
				use, ok = betterOfSQL(fn)
			}
			if !ok || fn.FullName() == "net/http.NewRequest" && u.givesContext(f, cur) || u.isOver(f, cur) {
				continue
			}
			pass.Report(analysis.Diagnostic{
				Pos: call.Pos(), End: call.End(),
				Message:        text(call.Fun) + " goes on when " + f.ctx.Name() + " is done: use " + use.name,
				SuggestedFixes: u.fixCall(f, call, use),
			})
		}
	}
	return nil, nil
}

// givesContext reports whether f gives the request that the call at cur makes a context later, or passes it on together
// with one.
func (u *unit) givesContext(f *function, cur inspector.Cursor) bool {
	var request types.Object
	if made := assignedFrom(cur); made != nil {
		request = u.object(made)
	}
	return u.any(f.outermost().node, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return false
		}
		switch u.calls(call) {
		case "(*net/http.Request).WithContext", "(*net/http.Request).Clone":
			return true
		}
		isRequest := func(e ast.Expr) bool { return request != nil && u.object(e) == request }
		isContext := func(e ast.Expr) bool { return isContext(u.info.TypeOf(e)) }
		return slices.ContainsFunc(call.Args, isRequest) && slices.ContainsFunc(call.Args, isContext)
	})
}

// fixCall returns the fix that calls use with the context in place of call.
func (u *unit) fixCall(f *function, call *ast.CallExpr, use better) []analysis.SuggestedFix {
	selector, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
	ctx := u.contextAt(f, call.Pos())
	if !ok || use.call == "" || ctx == "" {
		return nil
	}
	if len(call.Args) > 0 {
		ctx += ", "
	}
	return []analysis.SuggestedFix{{
		Message: "Use " + use.name,
		TextEdits: []analysis.TextEdit{
			{Pos: selector.Sel.Pos(), End: selector.Sel.End(), NewText: []byte(use.call)},
			insert(call.Lparen+1, ctx),
		},
	}}
}

var commands = &analysis.Analyzer{
	Name: "ctxexec",
	Doc: `find programs that are run and outlive the context

A command that exec.Command makes, and that the same function runs or waits for, goes on
when the context of the function is done. exec.CommandContext kills it. Package subprocess of
Curio ends also what the program has started.`,
	Requires: []*analysis.Analyzer{prepare},
	Run:      runCommands,
}

func runCommands(pass *analysis.Pass) (any, error) {
	u := pass.ResultOf[prepare].(*unit)
	for f := range u.waiting(pass) {
		for cur := range f.nodes((*ast.CallExpr)(nil)) {
			call := cur.Node().(*ast.CallExpr)
			if u.calls(call) != "os/exec.Command" || isDeferred(cur) || !u.awaitsCommand(f, cur) || u.isOver(f, cur) {
				continue
			}
			pass.Report(analysis.Diagnostic{
				Pos: call.Pos(), End: call.End(),
				Message:        "the program goes on when " + f.ctx.Name() + " is done: use exec.CommandContext, or package subprocess of Curio",
				SuggestedFixes: u.fixCall(f, call, better{"exec.CommandContext", "CommandContext"}),
			})
		}
	}
	return nil, nil
}

// awaitsCommand reports whether f waits for the command that the call at cur makes, and does not kill it by itself.
func (u *unit) awaitsCommand(f *function, cur inspector.Cursor) bool {
	if selector, ok := cur.Parent().Node().(*ast.SelectorExpr); ok {
		return isAwait(selector.Sel.Name)
	}
	made := assignedFrom(cur)
	if made == nil {
		return false
	}
	o := u.object(made)
	awaits, kills := false, false
	u.any(f.outermost().node, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if ok && o != nil && u.object(selector.X) == o {
			awaits = awaits || isAwait(selector.Sel.Name)
			kills = kills || selector.Sel.Name == "Process"
		}
		return false
	})
	return awaits && !kills
}

// isAwait reports whether a method of exec.Cmd waits for the program.
func isAwait(name string) bool {
	return name == "Run" || name == "Wait" || name == "Output" || name == "CombinedOutput"
}
