package vet

import (
	"cmp"
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"slices"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/ast/edge"
	"golang.org/x/tools/go/ast/inspector"
)

var channels = &analysis.Analyzer{
	Name: "ctxchan",
	Doc: `find channel operations that ignore the context

In a function that has a context, a send, a receive, a loop over a channel or a select
that has no case for ctx.Done() goes on waiting when the context is done. curio.Send,
curio.Receive and curio.Select do not, nor does a select with a case <-ctx.Done().

What ends for another reason is not reported: a select with a default, with a time limit
or with a channel that says stop; a receive from a goroutine that has the context, or
after that goroutine was told to end; a send to a channel that has room for it. Sends
in a goroutine are reported if what receives may be gone.`,
	Requires: []*analysis.Analyzer{prepare},
	Run:      runChannels,
}

// A channel is what a package does with one variable or field.
type channel struct {
	makes    []inspector.Cursor // calls of make for it
	sent     bool
	selected bool               // a select receives from it, and may take another case
	received bool               // something receives from it in any case
	passed   []inspector.Cursor // arguments that it stands for, if it is a parameter
}

// findChannels looks at all files.
func (u *unit) findChannels(root inspector.Cursor) {
	note := func(e ast.Expr) *channel {
		o := u.object(e)
		if o == nil {
			return &channel{}
		}
		if u.channels[o] == nil {
			u.channels[o] = &channel{}
		}
		return u.channels[o]
	}
	for cur := range root.Preorder((*ast.CallExpr)(nil), (*ast.SendStmt)(nil), (*ast.CommClause)(nil), (*ast.UnaryExpr)(nil), (*ast.RangeStmt)(nil)) {
		switch node := cur.Node().(type) {
		case *ast.UnaryExpr:
			if receives(node) && !isComm(cur) {
				note(node.X).received = true
			}
		case *ast.RangeStmt:
			note(node.X).received = true
		case *ast.SendStmt:
			note(node.Chan).sent = true
		case *ast.CommClause:
			if received := receivedIn(node); received != nil && len(cur.Parent().Node().(*ast.BlockStmt).List) > 1 {
				note(received).selected = true
			}
		case *ast.CallExpr:
			u.findPassed(cur, node)
			to := assignedFrom(cur)
			if to == nil || u.info.TypeOf(to) == nil {
				continue
			}
			if o := u.object(to); o != nil && u.mentionsContext(node) {
				u.fromCalls[o] = true
			}
			if _, ok := u.info.TypeOf(to).Underlying().(*types.Chan); !ok {
				continue
			}
			if id, ok := ast.Unparen(node.Fun).(*ast.Ident); ok && u.info.Uses[id] == types.Universe.Lookup("make") {
				c := note(to)
				c.makes = append(c.makes, cur)
			}
		}
	}
}

// findPassed notes which channels the call at cur passes to a function of the package that nobody else calls.
func (u *unit) findPassed(cur inspector.Cursor, call *ast.CallExpr) {
	fn := u.callee(call)
	if fn == nil || fn.Pkg() != u.pkg || fn.Exported() || fn.Signature().Variadic() {
		return
	}
	for i := range min(len(call.Args), fn.Signature().Params().Len()) {
		v := fn.Signature().Params().At(i)
		if _, ok := v.Type().Underlying().(*types.Chan); !ok {
			continue
		}
		if u.channels[v] == nil {
			u.channels[v] = &channel{}
		}
		u.channels[v].passed = append(u.channels[v].passed, cur.ChildAt(edge.CallExpr_Args, i))
	}
}

// assignedFrom returns what the value of the call at cur is assigned to: a variable, a field, or the key of a literal.
func assignedFrom(cur inspector.Cursor) ast.Expr {
	kind, index := cur.ParentEdge()
	switch parent := cur.Parent().Node().(type) {
	case *ast.AssignStmt:
		if kind == edge.AssignStmt_Rhs && len(parent.Lhs) > index {
			return parent.Lhs[index]
		}
	case *ast.ValueSpec:
		if kind == edge.ValueSpec_Values && len(parent.Names) > index {
			return parent.Names[index]
		}
	case *ast.KeyValueExpr:
		if id, ok := parent.Key.(*ast.Ident); ok && kind == edge.KeyValueExpr_Value {
			return id
		}
	}
	return nil
}

// receivedIn returns the channel that the clause of a select receives from, nil if it sends or is the default.
func receivedIn(clause *ast.CommClause) ast.Expr {
	var e ast.Expr
	switch comm := clause.Comm.(type) {
	case *ast.ExprStmt:
		e = comm.X
	case *ast.AssignStmt:
		e = comm.Rhs[0]
	}
	if receive, ok := ast.Unparen(cmp.Or[ast.Expr](e, &ast.BadExpr{})).(*ast.UnaryExpr); ok && receive.Op == token.ARROW {
		return receive.X
	}
	return nil
}

func runChannels(pass *analysis.Pass) (any, error) {
	u := pass.ResultOf[prepare].(*unit)
	for f := range u.waiting(pass) {
		for cur := range f.nodes((*ast.SendStmt)(nil), (*ast.UnaryExpr)(nil), (*ast.RangeStmt)(nil), (*ast.SelectStmt)(nil)) {
			if kind := cur.ParentEdgeKind(); kind == edge.CommClause_Comm || isComm(cur) || u.isOver(f, cur) {
				continue
			}
			switch node := cur.Node().(type) {
			case *ast.SelectStmt:
				if !u.canEnd(f, node) {
					pass.Reportf(node.Pos(), "this select goes on waiting when %s is done: add a case <-%[1]s.Done(), or use curio.Select", f.ctx.Name())
				}
			case *ast.SendStmt:
				if u.mayBlock(f, cur, node.Chan) {
					pass.Reportf(node.Pos(), "this send%s goes on waiting when %s is done: use curio.Send, or a select with a case <-%[2]s.Done()", named(" to ", node.Chan), f.ctx.Name())
				}
			case *ast.UnaryExpr:
				if node.Op == token.ARROW && u.mayHang(f, cur, node.X) {
					pass.Reportf(node.Pos(), "this receive%s goes on waiting when %s is done: use curio.Receive, or a select with a case <-%[2]s.Done()", named(" from ", node.X), f.ctx.Name())
				}
			case *ast.RangeStmt:
				if _, ok := u.info.TypeOf(node.X).Underlying().(*types.Chan); ok && u.mayHang(f, cur, node.X) {
					pass.Reportf(node.X.Pos(), "this loop%s goes on waiting when %s is done: use curio.Receive, or a select with a case <-%[2]s.Done()", named(" over ", node.X), f.ctx.Name())
				}
			}
		}
	}
	return nil, nil
}

// named returns e with the word before it, or nothing if e has no short text.
func named(word string, e ast.Expr) string {
	if text := text(e); text != "" {
		return word + text
	}
	return ""
}

// isComm reports whether the receive at cur is what a clause of a select waits for.
func isComm(cur inspector.Cursor) bool {
	switch cur.Parent().Node().(type) {
	case *ast.ExprStmt, *ast.AssignStmt:
		return cur.Parent().ParentEdgeKind() == edge.CommClause_Comm
	}
	return false
}

// canEnd reports whether a select of f has a case that another side is bound to bring about: a default, the end of a
// context, a time limit, a goroutine that has a context, or a channel without values, which is how code without contexts
// says stop.
func (u *unit) canEnd(f *function, s *ast.SelectStmt) bool {
	for _, clause := range s.Body.List {
		clause := clause.(*ast.CommClause)
		if clause.Comm == nil {
			return true
		}
		received := receivedIn(clause)
		if received == nil {
			continue
		}
		c, ok := u.info.TypeOf(received).Underlying().(*types.Chan)
		if !ok {
			return true // of a type parameter
		}
		if isNamed(c.Elem(), "time", "Time") {
			return true
		}
		if o := u.object(received); o != nil && f.isLocal(o) && u.isServed(f, o) {
			return true
		}
		if s, ok := c.Elem().Underlying().(*types.Struct); ok && s.NumFields() == 0 {
			return true
		}
	}
	return len(s.Body.List) == 0 // select {} waits for ever, on purpose
}

// mayHang reports whether a receive from e at cur, in f, may wait for something that does not end with the context.
func (u *unit) mayHang(f *function, cur inspector.Cursor, e ast.Expr) bool {
	if f.when == started || isDeferred(cur) || u.isClosedAtEnd(f) {
		return false // also a goroutine that was started to wait
	}
	if call, ok := ast.Unparen(e).(*ast.CallExpr); ok {
		if selector, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr); ok && u.fromCalls[u.object(selector.X)] {
			return false
		}
		return !u.isDoneCall(call) && !u.mentionsContext(call) && !isClock(u.info.TypeOf(call))
	}
	o := u.object(e)
	if o == nil || isClock(o.Type()) {
		return false
	}
	c := cmp.Or(u.channels[o], &channel{})
	if u.fromCalls[o] || c.sent && u.isBuffered(c) && u.hasNoValues(o) { // a semaphore's release
		return false
	}
	if len(c.passed) > 0 {
		return slices.ContainsFunc(c.passed, func(arg inspector.Cursor) bool { return !u.isServedAt(arg) })
	}
	return !f.isLocal(o) || !u.isServed(f, o)
}

// isServedAt reports whether the argument at cur is a channel that goroutines with a context serve.
func (u *unit) isServedAt(cur inspector.Cursor) bool {
	o, f := u.object(cur.Node().(ast.Expr)), u.functionAt(cur)
	return o != nil && f != nil && f.isLocal(o) && u.isServed(f, o)
}

// isClosedAtEnd reports whether a function around f or in it closes something when a context is done, and so ends what
// waits for that: with context.AfterFunc, or in a goroutine.
func (u *unit) isClosedAtEnd(f *function) bool {
	return u.any(f.outermost().node, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			return u.calls(call) == "context.AfterFunc"
		}
		stmt, ok := n.(*ast.GoStmt)
		if !ok {
			return false
		}
		waits, closes := false, false
		u.any(stmt, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				waits = waits || u.isDoneCall(call)
				closes = closes || endings[calledName(call)] && len(call.Args) == 0
			}
			return false
		})
		return waits && closes
	})
}

// isClock reports whether t is a channel of times, which a timer feeds.
func isClock(t types.Type) bool {
	c, ok := t.Underlying().(*types.Chan)
	return ok && isNamed(c.Elem(), "time", "Time")
}

func (u *unit) hasNoValues(o types.Object) bool {
	c, ok := o.Type().Underlying().(*types.Chan)
	if !ok {
		return false
	}
	s, ok := c.Elem().Underlying().(*types.Struct)
	return ok && s.NumFields() == 0
}

// isServed reports whether the goroutines that have the local object o all have a context as well. They end with it. One
// that only waits for others does not count.
func (u *unit) isServed(f *function, o types.Object) bool {
	served := false
	for cur := range f.outermost().cur.Preorder((*ast.GoStmt)(nil), (*ast.CallExpr)(nil)) {
		call, ok := cur.Node().(*ast.CallExpr)
		if stmt, isGo := cur.Node().(*ast.GoStmt); isGo {
			call = stmt.Call
		} else if ok && u.callsBack(call, o) {
			served = true
			continue
		} else if ok && (timingOfArgument(call) != started || cur.ParentEdgeKind() == edge.GoStmt_Call) {
			continue
		}
		runs := u.runs(call)
		has := func(is func(ast.Node) bool) bool { return slices.ContainsFunc(runs, is) }
		if !has(func(n ast.Node) bool { return u.mentions(n, o) }) || has(u.joins) {
			continue
		}
		if !has(u.mentionsContext) {
			return false
		}
		served = true
	}
	return served
}

// callsBack reports whether call gets a context, and a closure that has o to say that it is through.
func (u *unit) callsBack(call *ast.CallExpr, o types.Object) bool {
	return slices.ContainsFunc(call.Args, func(e ast.Expr) bool { return isContext(u.info.TypeOf(e)) }) &&
		slices.ContainsFunc(call.Args, func(e ast.Expr) bool {
			_, closure := ast.Unparen(e).(*ast.FuncLit)
			return closure && u.mentions(e, o)
		})
}

// runs returns what is run by a call in a goroutine: the call, and the closures that its variables have.
func (u *unit) runs(call *ast.CallExpr) []ast.Node {
	runs := []ast.Node{call}
	for _, e := range append(slices.Clip(call.Args), call.Fun) {
		if o := u.object(e); o != nil && u.closures[o] != nil {
			runs = append(runs, u.closures[o])
		}
	}
	return runs
}

// joins reports whether n has a call of WaitGroup.Wait in it.
func (u *unit) joins(n ast.Node) bool {
	return u.any(n, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		return ok && u.calls(call) == "(*sync.WaitGroup).Wait"
	})
}

// isBuffered reports whether all channels that c can be have a buffer.
func (u *unit) isBuffered(c *channel) bool {
	for _, cur := range c.makes {
		if n, known := u.capacity(cur); known && n == 0 {
			return false
		}
	}
	return len(c.makes) > 0
}

// capacity returns the capacity in the call of make at cur. It is not known if it is no constant.
func (u *unit) capacity(cur inspector.Cursor) (n int64, known bool) {
	call := cur.Node().(*ast.CallExpr)
	if len(call.Args) < 2 {
		return 0, true
	}
	value := u.info.Types[call.Args[1]].Value
	if value == nil {
		return 0, false
	}
	return constant.Int64Val(constant.ToInt(value))
}

// mayBlock reports whether a send to e at cur, in f, may wait for a receiver that does not come.
func (u *unit) mayBlock(f *function, cur inspector.Cursor, e ast.Expr) bool {
	o := u.object(e)
	if o == nil || isDeferred(cur) {
		return false
	}
	c := cmp.Or(u.channels[o], &channel{})
	if len(c.passed) > 0 && !slices.ContainsFunc(c.passed, func(arg inspector.Cursor) bool { return !u.hasRoomAt(arg) }) {
		return false
	}
	local := f.isLocal(o)
	for _, made := range c.makes {
		n, known := u.capacity(made)
		fresh := local || u.functionAt(made) == f // it is new, and has room for a first value
		if !known && local || n > 0 && (!local && n == 1 || fresh && !inLoopOf(cur, made)) {
			return false // it is as large as needed, or holds the one answer that is sent
		}
	}
	if f.when == started || local && (o.Pos() < f.body.Node().Pos() || f.body.Node().End() < o.Pos()) {
		return local && len(c.makes) > 0 && c.selected && !c.received // otherwise the function that made it is sure to receive
	}
	return true
}

// hasRoomAt reports whether the argument at cur is a local channel that is as large as needed: its capacity is computed.
func (u *unit) hasRoomAt(cur inspector.Cursor) bool {
	o, f := u.object(cur.Node().(ast.Expr)), u.functionAt(cur)
	c := u.channels[o]
	return o != nil && f != nil && f.isLocal(o) && c != nil && len(c.makes) > 0 && !slices.ContainsFunc(c.makes, func(made inspector.Cursor) bool {
		_, known := u.capacity(made)
		return known
	})
}

// inLoopOf reports whether the send at cur may run more than once for a channel that is made once: it is in a loop that
// the call of make is not in, and does not leave that loop.
func inLoopOf(cur, made inspector.Cursor) bool {
	leaves := false
	if next, ok := cur.NextSibling(); ok {
		switch next := next.Node().(type) {
		case *ast.ReturnStmt:
			leaves = true
		case *ast.BranchStmt:
			leaves = next.Tok == token.BREAK
		}
	}
	for c := range cur.Enclosing((*ast.ForStmt)(nil), (*ast.RangeStmt)(nil), (*ast.FuncLit)(nil)) {
		if _, closure := c.Node().(*ast.FuncLit); closure {
			leaves = false // the closure, and not the loop around it
		} else if !leaves && !c.Contains(made) {
			return true
		}
	}
	return false
}

// isDeferred reports whether the node at cur is part of a defer statement.
func isDeferred(cur inspector.Cursor) bool {
	for c := range cur.Enclosing((*ast.DeferStmt)(nil), (*ast.FuncLit)(nil)) {
		_, ok := c.Node().(*ast.DeferStmt)
		return ok
	}
	return false
}

// isOver reports whether, at cur in f, the context is done already, or what f waits for was told to end: cur is in the
// case of a select for ctx.Done(), below a check of ctx.Err(), or after a call that cancels or closes something.
func (u *unit) isOver(f *function, cur inspector.Cursor) bool {
	for c := range cur.Enclosing((*ast.CommClause)(nil), (*ast.IfStmt)(nil), (*ast.FuncLit)(nil), (*ast.FuncDecl)(nil)) {
		switch node := c.Node().(type) {
		case *ast.FuncLit, *ast.FuncDecl:
			return u.isAfterEnd(f, cur)
		case *ast.CommClause:
			if received := receivedIn(node); received != nil && c.Node() != cur.Node() && u.isDone(f, received) {
				return true
			}
		case *ast.IfStmt:
			if u.asksContext(node.Cond) || node.Init != nil && u.asksContext(node.Init) {
				return true
			}
		}
	}
	return false
}

// asksContext reports whether n has a call of ctx.Err().
func (u *unit) asksContext(n ast.Node) bool {
	return u.any(n, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		return ok && u.calls(call) == "(context.Context).Err"
	})
}

// isDone reports whether e is ctx.Done(), or a variable with its value.
func (u *unit) isDone(f *function, e ast.Expr) bool {
	if call, ok := ast.Unparen(e).(*ast.CallExpr); ok {
		return u.isDoneCall(call)
	}
	o := u.object(e)
	return o != nil && u.any(f.outermost().node, func(n ast.Node) bool {
		assign, ok := n.(*ast.AssignStmt)
		if !ok || len(assign.Lhs) != 1 || u.object(assign.Lhs[0]) != o {
			return false
		}
		call, ok := ast.Unparen(assign.Rhs[0]).(*ast.CallExpr)
		return ok && u.isDoneCall(call)
	})
}

// endings are the names of functions that tell something to end, as they are used before a wait for that end.
var endings = map[string]bool{
	"Cancel": true, "Close": true, "Stop": true, "Shutdown": true, "GracefulStop": true, "Kill": true, "Abort": true, "Interrupt": true,
	"cancel": true, "close": true, "stop": true, "shutdown": true, "kill": true, "Signal": true, "CloseWithError": true, "SetDeadline": true,
}

// isAfterEnd reports whether a statement before cur, which is certain to have run, has received from ctx.Done() or told
// something to end.
func (u *unit) isAfterEnd(f *function, cur inspector.Cursor) bool {
	for c := range f.nodes((*ast.CallExpr)(nil), (*ast.UnaryExpr)(nil)) {
		if c.Node().Pos() >= cur.Node().Pos() {
			return false
		}
		told := false
		switch node := c.Node().(type) {
		case *ast.CallExpr:
			told = endings[calledName(node)] || isNamed(u.info.TypeOf(node.Fun), "context", "CancelFunc") || isNamed(u.info.TypeOf(node.Fun), "context", "CancelCauseFunc")
		case *ast.UnaryExpr:
			told = node.Op == token.ARROW && u.isDone(f, node.X)
		}
		if told && isBefore(c, cur) {
			return true
		}
	}
	return false
}

// isBefore reports whether the statement with the node at c is in a list of statements that cur is further down in, and
// neither deferred nor run in another goroutine nor one of the cases of a select.
func isBefore(c, cur inspector.Cursor) bool {
	for at := range c.Enclosing() {
		switch at.ParentEdgeKind() {
		case edge.BlockStmt_List, edge.CaseClause_Body, edge.CommClause_Body:
			switch at.Node().(type) {
			case *ast.DeferStmt, *ast.GoStmt:
				return false
			}
			return at.Parent().Contains(cur) && !at.Contains(cur)
		}
	}
	return false
}
