// Package vet has analyzers that help to bring a program over to Curio, and that find misuse of it.
//
// The command curio runs them: "curio vet ./..." in a module prints what it finds, and "curio vet -fix ./..." makes the
// changes that are mechanical. The program in cmd/curiovet does the same and is a tool for "go vet -vettool". Other
// drivers of golang.org/x/tools/go/analysis take what [Analyzers] returns.
//
// # What blocks without the context
//
// These look at functions that have a parameter of type context.Context, and at closures in them. Tests, generated files and deferred
// calls are left out.
//
//   - ctxsleep: time.Sleep and <-time.After. Fix: curio.Sleep
//   - ctxchan: sends, receives and loops over channels, and selects without a case for ctx.Done()
//   - ctxwait: Wait of sync.WaitGroup and sync.Cond
//   - ctxconn: Read, Write and Accept of package net without a deadline
//   - ctxexec: programs that exec.Command makes and the function waits for. Fix: exec.CommandContext
//   - ctxcall: functions that have a counterpart with a context, such as http.NewRequest. Fix: that one
//   - lockwait: a sync.Mutex that is locked while the function waits, in functions without a context as well
//
// # What goes wrong with Curio
//
//   - curiocancel: the cancel function of curio.WithTimeout or curio.UntilStop is not called
//   - curiospawn: a task is spawned with a context that ends before anything is waited for
//   - curioloop: an endless loop goes on when its context is done, as it swallows the error
//   - curioctx: a closure with a context of its own waits with the one of the function around it. Fix: its own
//
// # What can be a task
//
//   - curiogroup: an errgroup that the fix turns into a curio.Group
//
// # Fixes
//
// A fix that needs package curio adds the import; the module has to require it: "go get github.com/curio-go/curio". Read
// the difference before you commit it. A function that returned late now returns early when its context is done.
//
// # What to expect
//
// The analyzers look at one function at a time, and at what the package does with a channel. They stay silent if
// another reason to end can be seen: a channel that says stop, a goroutine that has the context, a call of Close or Stop
// before the wait. So they miss waits that only the whole program shows.
//
// Over gRPC v1.85, go-redis v9.22 and the server and client of etcd v3.7, nearly 800 files, they report thirteen places, each of
// which does wait without its context or with a mutex locked. Seven of these are sleeps of a millisecond to 50
// milliseconds, which matter little, except to a test with virtual time. Code that keeps its channels in structs gets more
// false reports: two of six in the Kafka client franz-go v1.22, where something else is sure to end the wait. The rules
// were refined on these programs, so expect more false reports of ctxchan in others.
package vet
