// Package core holds the tests of package curio that cut across its source files: every
// operation with every way to end it (operations_*_test.go), programs that are cancelled at
// each of their waits (everywhere_*_test.go), the worst moments (*_race_test.go), contexts
// of other people, what is kept in memory and how it grows, what has once been wrong, and a
// program with everything in it that is stopped by real signals (softstop_*_test.go).
// What is about one source file is tested beside that.
//
// Behaviours of the original that have no meaning in Go, and so no test:
//
//	K5, K8–K10  a wrong type of function is a compile-time error, and closures do
//	            what partial application and instantiated coroutines did; what is
//	            left of K5, the nil function, is in misuse_test.go
//	K6, K7      there is no table of traps that a program could call wrongly
//	K11         goroutines cannot be stepped; that is for a test kernel
//	K13         a kernel with tasks is never garbage, one without owns nothing:
//	            there is nothing to report but failed tasks (log_test.go)
//	K14, K21    there is no SystemExit or TaskExit; runtime.Goexit is an end like
//	            any other (../../kernel_test.go)
//	K15         debug options are a package of their own
//	T9          every suspended activity is a goroutine: T8 covers it
//	C10, C11    an error class cannot be chosen, a reason can (C12)
//	C14         a pending timeout is not an object that could be dropped: see M8
//	C15         cancellation is level-triggered, so there is no interrupt: a
//	            timeout or a group around the call does it
//	D6–D8       nothing is raised by hand; returning a cancellation error from a
//	            shield is returning an error (../../shield_test.go)
//	D10         a cancellation cannot be cleared
//	D11, G23, G24  there are no async threads, every goroutine may block
//	L21         notify may come without the lock; wait may not (sync_misuse_test.go)
//	U3, U4      there are no foreign event loops: goroutines of no task and other
//	            kernels stand for them (sync_test.go, ../../event_test.go,
//	            ../../result_test.go)
//	U12         Do sets the result in any case: a function that returns has a value
//	U13         a Result is set once and cannot be cleared; printing is tested
//	X1, X2, X9, X10, A10  processes come later
//	B1, B6      a lock of ours is no sync.Locker; anything else does not compile
//	B4, B5      Go has no reentrant lock; SpawnThread keeps its thread
//	A11         is a call of Spawn
//	A15         no meaning
//	M10         each operation tests its own timeouts
//	M16         Go's results are the function's own variables: there is nothing
//	            to substitute
package core
