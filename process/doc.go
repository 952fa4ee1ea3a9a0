// Package process calls functions in worker processes, for work that keeps a processor busy, or that may
// crash, and that has to be ended when nobody wants its result any more.
//
//	var fib = process.Register("fib", func(ctx context.Context, n int) (int, error) { … })
//
//	func main() {
//		process.Main() // the first line
//		…
//		n, err := process.Run(ctx, fib, 40)
//	}
//
// A goroutine cannot be killed, and what it does wrong may end the whole program. A worker can be killed,
// and takes nobody with it. So a [Run] that is cancelled ends at once, and its worker soon after; a function
// that panics, exits or eats up its memory costs its own call and no other.
//
// # Workers
//
// A worker is this program, started once more without arguments. Package variables are initialized in it as
// in any program. Then its main calls [Main], which serves calls and never returns. So Main has to be the
// first line of main, and of TestMain in tests: what comes before it is done again in each worker. If it is
// missing, Run returns [ErrNoMain], and starts nothing.
//
// Functions are registered by [Register], in variables of a package, under a name that the program has once.
// The worker is the same program, so it has the same functions. Arguments, results and progress values are
// sent by encoding/gob; Register refuses types of which gob would lose something.
//
// Workers belong to a [Pool], and are used for one call after another, one at a time. Each kernel has a pool
// of its own, with as many workers as this process may use processors. It is made by the first call that needs
// it; [Configure] changes its settings before that. [NewPool] makes others.
//
// # What becomes of a call
//
// A call waits until a worker is free, and then for its result. Nothing is ever called twice: if the worker
// dies when the function may have begun, the call fails with a [WorkerError], which says how it died and what it
// wrote to its standard error last. Other calls are not affected, and the pool starts another worker. The
// function's own error or panic is a [RemoteError].
//
// When a call is cancelled, its error is ctx's error, and the worker is told to end: by SIGTERM, which ends
// the context of the function, and after Config.Grace by SIGKILL. A worker that has already sent the result
// is left alone.
//
// # In the function
//
// The context of the function belongs to a task in a kernel of the worker. So the function may use all of this
// module, except this package's calls, which are [ErrInWorker] there. It may send progress values by
// [Report]. Tasks that it leaves behind are cancelled when it returns.
//
// The standard input of a worker is the null device. What it writes to its standard output and standard error
// appears on the standard output and standard error of this process, line by line, after the worker's name, or goes
// to Config.Output.
//
// # How workers end
//
// Workers end with their pool, which ends with its kernel. They also end when this process dies, however that
// happens: the connection to it is at its end and, on Linux and FreeBSD, the system sends them SIGHUP. Then, too,
// the context of the function is done, and after Config.Grace all that is left of the worker is killed. A SIGINT, such
// as Ctrl-C sends it, does nothing to a worker: what it means is for this process to decide. A SIGTERM ends a
// worker, whoever sends it. To stop a service that is to finish its calls, send the signal to the main process
// alone, as systemd does with KillMode=mixed.
//
// What a worker has started ends with it, as far as it is in the worker's process group. Programs that
// package subprocess has started are in groups of their own, unless they are started with GroupShared: they
// end with the context of the function, and may survive a worker that is killed.
//
// Workers and the functions that they are calling are tasks of the pool's, named after them.
package process
