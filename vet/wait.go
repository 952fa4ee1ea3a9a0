package vet

import (
	"go/ast"
	"go/types"
	"strings"

	"golang.org/x/tools/go/analysis"
)

var waits = &analysis.Analyzer{
	Name: "ctxwait",
	Doc: `find waits of package sync that ignore the context

WaitGroup.Wait and Cond.Wait go on when the context of the function is done. A curio.Group
waits for its tasks and cancels them with the context, and a curio.Condition stops waiting.

A WaitGroup is not reported if its goroutines have the context and so end with it, or if they
were told to end before the wait.`,
	Requires: []*analysis.Analyzer{prepare},
	Run:      runWaits,
}

func runWaits(pass *analysis.Pass) (any, error) {
	u := pass.ResultOf[prepare].(*unit)
	for f := range u.waiting(pass) {
		if f.when == started {
			continue // the goroutine was started to wait
		}
		for cur := range f.nodes((*ast.CallExpr)(nil)) {
			call := cur.Node().(*ast.CallExpr)
			selector, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
			if !ok || isDeferred(cur) {
				continue
			}
			switch u.calls(call) {
			case "(*sync.WaitGroup).Wait":
				if o := u.object(selector.X); u.isOver(f, cur) || o != nil && f.isLocal(o) && u.isServed(f, o) {
					continue
				}
				pass.ReportRangef(call, "%s.Wait goes on when %s is done: run the functions as tasks of a curio.Group", textOr(selector.X, "WaitGroup"), f.ctx.Name())
			case "(*sync.Cond).Wait":
				if !u.heeds(f) && !u.isOver(f, cur) {
					pass.ReportRangef(call, "%s.Wait goes on when %s is done: use a curio.Condition", textOr(selector.X, "Cond"), f.ctx.Name())
				}
			}
		}
	}
	return nil, nil
}

// textOr returns e as it is written, or another name for it if it is long.
func textOr(e ast.Expr, other string) string {
	if text := text(e); text != "" {
		return text
	}
	return other
}

var conns = &analysis.Analyzer{
	Name: "ctxconn",
	Doc: `find reads, writes and accepts of package net that ignore the context

Read, Write and Accept of a net.Conn or a net.Listener go on when the context of the function
is done. So do io.ReadFull, io.ReadAll and io.Copy of a net.Conn. A function that sets a
deadline, or has something done at the end of a context, is not reported, nor is a goroutine
that was started to accept. The connections of
package network of Curio take a context; network.FromConn makes one of any net.Conn.`,
	Requires: []*analysis.Analyzer{prepare},
	Run:      runConns,
}

// connTypes are the connections and listeners of package net and crypto/tls.
var connTypes = map[[2]string]bool{
	{"net", "Conn"}: true, {"net", "TCPConn"}: true, {"net", "UDPConn"}: true, {"net", "UnixConn"}: true, {"net", "IPConn"}: true,
	{"net", "PacketConn"}: true, {"net", "Listener"}: true, {"net", "TCPListener"}: true, {"net", "UnixListener"}: true,
	{"crypto/tls", "Conn"}: true,
}

// connMethods are the methods of these that block.
var connMethods = map[string]bool{
	"Read": true, "ReadFrom": true, "ReadFromUDP": true, "ReadFromUDPAddrPort": true, "ReadMsgUDP": true, "ReadFromUnix": true,
	"Write": true, "Accept": true, "AcceptTCP": true, "AcceptUnix": true,
}

func isConn(t types.Type) bool {
	if t == nil {
		return false
	}
	if pointer, ok := types.Unalias(t).(*types.Pointer); ok {
		t = pointer.Elem()
	}
	named, ok := types.Unalias(t).(*types.Named)
	return ok && named.Obj().Pkg() != nil && connTypes[[2]string{named.Obj().Pkg().Path(), named.Obj().Name()}]
}

func runConns(pass *analysis.Pass) (any, error) {
	u := pass.ResultOf[prepare].(*unit)
	for f := range u.waiting(pass) {
		for cur := range f.nodes((*ast.CallExpr)(nil)) {
			call := cur.Node().(*ast.CallExpr)
			if !u.usesConn(call) || isDeferred(cur) || f.when == started && strings.HasPrefix(calledName(call), "Accept") || u.bounds(f) || u.isOver(f, cur) {
				continue
			}
			pass.ReportRangef(call, "%s goes on when %s is done: set a deadline, or use package network of Curio, such as network.FromConn", text(call.Fun), f.ctx.Name())
		}
	}
	return nil, nil
}

// usesConn reports whether call waits for a connection or a listener.
func (u *unit) usesConn(call *ast.CallExpr) bool {
	switch u.calls(call) {
	case "io.ReadFull", "io.ReadAll", "io.ReadAtLeast":
		return isConn(u.info.TypeOf(call.Args[0]))
	case "io.Copy", "io.CopyN", "io.CopyBuffer":
		return isConn(u.info.TypeOf(call.Args[1]))
	}
	selector, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
	return ok && connMethods[selector.Sel.Name] && isConn(u.info.TypeOf(selector.X))
}

// bounds reports whether f, or a function around it or in it, bounds how long a connection waits.
func (u *unit) bounds(f *function) bool {
	return u.heeds(f) || u.any(f.outermost().node, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return false
		}
		switch calledName(call) {
		case "SetDeadline", "SetReadDeadline", "SetWriteDeadline":
			return true
		}
		// Something else watches the context.
		return strings.HasPrefix(strings.ToLower(calledName(call)), "watch") && u.mentionsContext(call)
	})
}
