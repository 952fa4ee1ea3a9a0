// Package process calls functions in worker processes, for work that keeps a processor busy or may
// crash, and that must be stopped when its result is no longer needed. Begin with [Register],
// [Main] and [Run]:
//
//	var fib = process.Register("fib", func(ctx context.Context, n int) (int, error) { … })
//
//	func main() {
//		process.Main() // the first line
//		…
//		n, err := process.Run(ctx, fib, 40)
//	}
//
// A goroutine cannot be killed, and its faults may end the whole program. A worker can be killed
// without affecting anything else. A [Run] that is cancelled therefore returns at once, and its
// worker ends soon after; a function that panics, exits or uses too much memory fails only its own
// call.
//
// # Workers
//
// A worker is this program, started again without arguments. Its package variables are initialized
// as in any program. Then its main calls [Main], which serves calls and never returns. Main must
// therefore be the first line of main, and of TestMain in tests: everything before it runs in each
// worker too. If it is missing, Run returns [ErrNoMain] and starts nothing.
//
// [Register] registers functions, in package variables, under names that are unique in the program.
// The worker runs the same program, so it has the same functions. encoding/gob transports
// arguments, results and progress values; Register refuses types of which gob would lose something.
//
// Workers belong to a [Pool] and serve one call after another, one at a time. Each kernel has a
// pool of its own, with as many workers as this process may use processors. The first call makes
// it; [Configure] changes its settings before that. [NewPool] makes further pools.
//
// # Calls
//
// A call waits until a worker is free, and then for its result. No call is ever repeated: if the
// worker dies after the function may have begun, the call fails with a [WorkerError], which tells
// how the worker died and what it last wrote to its standard error. Other calls are not affected,
// and the pool starts a new worker. An error or panic of the function is a [RemoteError].
//
// When a call is cancelled, its error is ctx's error, and the worker is ended: with SIGTERM, after
// which the function's context is done, and after Config.Grace with SIGKILL. A worker that has
// already sent the result is not ended.
//
// # In the function
//
// The function's context belongs to a task in a kernel of the worker. The function may therefore
// use all of this module, except the calls of this package, which return [ErrInWorker] there. It
// may send progress values with [Report]. Tasks that it has spawned are cancelled when it returns.
//
// The standard input of a worker is the null device. What it writes to its standard output and
// standard error appears on the same streams of this process, line by line, after the worker's
// name, or goes to Config.Output.
//
// # How workers end
//
// Workers end with their pool, which ends with its kernel. They also end when this process dies,
// for whatever reason: their connection to it is closed and, on Linux and FreeBSD, the system sends
// them SIGHUP. Then, too, the function's context is done, and after Config.Grace everything that is
// left of the worker is killed. SIGINT, as Ctrl-C sends it, has no effect on a worker: this process
// decides what to do. SIGTERM ends a worker, even if another process sends it. To stop a service
// that should finish its calls, send the signal only to the main process, as systemd does with
// KillMode=mixed.
//
// Processes that a worker has started end with it if they are in the worker's process group.
// Programs started by package subprocess are in groups of their own, unless they are started with
// GroupShared: they end with the function's context, and may survive a worker that is killed.
//
// Workers, and the functions that they are running, are tasks of the pool, with their names.
package process
