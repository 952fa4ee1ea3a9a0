package poll

import "context"

// AcceptorOf returns a function that accepts connections from a *network.Listener, with the pauses and the log
// of a server. What it returns is a network.Conn. Package network sets it. Other packages of this module cannot
// know which errors pass.
var AcceptorOf func(listener any) func(ctx context.Context) (any, error)
