package core_test

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/verify/fixture"
)

// Every operation of this package that waits × every way to end it: the error is the one
// of the design's table, it comes with no result, nothing is left, and the object works
// as before. The operations are in operations_sync_test.go and operations_task_test.go;
// sockets and servers have the same table in their own packages.

// An operation is one that waits, at something at which it has to.
type operation struct {
	name   string
	covers []string // the functions of the API, as TestEveryOperationIsInTheTable has them
	state  string   // of a task that waits
	begin  func(ctx context.Context, f *fixture.Fixture) *blocked
	real   bool // waits for I/O, and so cannot be in a bubble
	closes bool // what it waits at can be closed
}

// blocked is an operation where it has to wait. A test runs it once.
type blocked struct {
	run   func(ctx context.Context) error // fails if there is an error and a result
	works func(ctx context.Context) error // shows that the object is as it was

	close  func() // closes the object, after which run returns closed
	closed error
}

// brief is how long timeouts last.
const brief = 10 * time.Millisecond

// A way is how an operation is ended. It returns the operation's error.
type way struct {
	name string
	run  func(ctx context.Context, f *fixture.Fixture, o operation, b *blocked) error
	is   []error
}

var ways = []way{
	{"cancelled before", func(ctx context.Context, _ *fixture.Fixture, _ operation, b *blocked) error {
		task := curio.Go(ctx, func(ctx context.Context) error {
			<-ctx.Done()
			return b.run(ctx)
		})
		_, err := task.Cancel(ctx)
		return errors.Join(err, task.Err())
	}, fixture.TaskCancelled},
	{"cancelled while waiting", func(ctx context.Context, f *fixture.Fixture, o operation, b *blocked) error {
		task := curio.Go(ctx, b.run)
		o.awaitIn(f, task.AnyTask)
		_, err := task.Cancel(ctx)
		return errors.Join(err, task.Err())
	}, fixture.TaskCancelled},
	{"own timeout, expired before", func(ctx context.Context, _ *fixture.Fixture, _ operation, b *blocked) error {
		return curio.TimeoutAfter(ctx, 0, b.run)
	}, fixture.TaskTimeout},
	{"own timeout", func(ctx context.Context, _ *fixture.Fixture, _ operation, b *blocked) error {
		return curio.TimeoutAfter(ctx, brief, b.run)
	}, fixture.TaskTimeout},
	{"outer timeout, expired before", func(ctx context.Context, f *fixture.Fixture, _ operation, b *blocked) error {
		return inOuter(ctx, f, 0, b)
	}, fixture.OuterTimeout},
	{"outer timeout", func(ctx context.Context, f *fixture.Fixture, _ operation, b *blocked) error {
		return inOuter(ctx, f, brief, b)
	}, fixture.OuterTimeout},
	{"foreign cancelled before", func(ctx context.Context, _ *fixture.Fixture, _ operation, b *blocked) error {
		derived, cancel := context.WithCancel(ctx)
		cancel()
		return b.run(derived)
	}, fixture.ScopeCancelled},
	{"foreign cancelled", func(ctx context.Context, f *fixture.Fixture, o operation, b *blocked) error {
		derived, cancel := context.WithCancel(ctx)
		defer cancel()
		me := curio.CurrentTask(ctx)
		canceller := curio.Go(ctx, func(context.Context) error { o.awaitIn(f, me); cancel(); return nil })
		err := b.run(derived)
		return errors.Join(err, canceller.Wait(ctx))
	}, fixture.ScopeCancelled},
	{"foreign timeout", func(ctx context.Context, _ *fixture.Fixture, _ operation, b *blocked) error {
		derived, cancel := context.WithTimeout(ctx, brief)
		defer cancel()
		return b.run(derived)
	}, fixture.ForeignTimeout},
	{"group failed", func(ctx context.Context, _ *fixture.Fixture, _ operation, b *blocked) (err error) {
		_ = curio.Group(ctx, func(ctx context.Context, g *curio.TaskGroup[int]) error {
			g.Spawn(fixture.After(brief, 0, fixture.ErrBoom))
			err = b.run(ctx)
			return err
		})
		return err
	}, fixture.ScopeCancelled},
	{"kernel shut down", func(ctx context.Context, f *fixture.Fixture, o operation, b *blocked) error {
		// Not awaitIn: in another kernel it may find that it is the first, and wait for
		// something else.
		other := curio.NewKernel(curio.Logger(slog.New(f.Journal)))
		begun := make(chan *curio.AnyTask, 1)
		ended := curio.Go(ctx, func(ctx context.Context) error {
			return other.Run(context.WithoutCancel(ctx), func(ctx context.Context) error {
				begun <- curio.CurrentTask(ctx)
				return b.run(ctx)
			})
		})
		if main := <-begun; o.real {
			o.awaitIn(f, main)
		} else {
			synctest.Wait()
		}
		return errors.Join(other.Shutdown(ctx), ended.Wait(ctx), ended.Err())
	}, fixture.TaskCancelled},
}

// inOuter runs the operation in a timeout in a timeout, and returns its own error.
func inOuter(ctx context.Context, f *fixture.Fixture, d time.Duration, b *blocked) (inner error) {
	outer := curio.TimeoutAfter(ctx, d, func(ctx context.Context) error {
		inner = curio.TimeoutAfter(ctx, time.Hour, b.run)
		return inner
	})
	fixture.Is(f, "outer", outer, fixture.TaskTimeout...)
	return inner
}

// awaitIn waits until the operation waits in task.
func (o operation) awaitIn(f *fixture.Fixture, task *curio.AnyTask) {
	f.Helper()
	if !o.real {
		synctest.Wait()
		if s := task.State(); s != o.state {
			f.Errorf("it is in the state %s, want %s", s, o.state)
		}
		return
	}
	testutil.Await(f, o.state, func() bool { return task.State() == o.state })
}

// in runs body in a kernel of which RunInThread has one place.
func (o operation) in(t *testing.T, body func(ctx context.Context, f *fixture.Fixture, b *blocked)) {
	run := fixture.InKernel
	if o.real {
		run = fixture.WithKernel
	}
	run(t, func(ctx context.Context, f *fixture.Fixture) {
		b := o.begin(ctx, f)
		body(ctx, f, b)
		if err := b.works(ctx); err != nil {
			f.Errorf("after that it does not work: %v", err)
		}
		f.ThreadsEnd()
		f.Journal.Take("whose calls were abandoned")
		f.Journal.Take("outlive their kernel")
	}, curio.MaxThreads(1))
}

func operations() []operation {
	return slices.Concat(operationsOfHurdles(), operationsOfLocks(), operationsOfQueues, operationsOfChannels,
		operationsOfThreads, operationsOfTasks, operationsOfGroups, operationsOfTime, operationsOnDescriptors,
		operationsOfCalls, operationsOfSelect(), operationsOfBroadcast())
}

func TestEveryOperation(t *testing.T) {
	for _, o := range operations() {
		for _, way := range ways {
			t.Run(o.name+"/"+way.name, func(t *testing.T) {
				o.in(t, func(ctx context.Context, f *fixture.Fixture, b *blocked) {
					// Not by the main task, who is in the way.
					ended := curio.Go(ctx, func(ctx context.Context) error {
						fixture.Is(f, "error", way.run(ctx, f, o, b), way.is...)
						return nil
					})
					_ = ended.Wait(ctx)
				})
			})
		}
		if o.closes {
			t.Run(o.name+"/closed while waiting", func(t *testing.T) { o.in(t, o.endsWhenClosed) })
		}
	}
}

func (o operation) endsWhenClosed(ctx context.Context, f *fixture.Fixture, b *blocked) {
	task := curio.Go(ctx, b.run)
	o.awaitIn(f, task.AnyTask)
	b.close()
	_ = task.Wait(ctx)
	if err := task.Err(); err != b.closed {
		f.Errorf("the error is %v, want %v", err, b.closed)
	}
}

// What takes a context and is in no table, and why.
var neverWaits = map[string]string{
	"Clock": "asks", "CurrentTask": "asks", "KernelOf": "asks", "LoggerOf": "asks", "CheckCancellation": "asks", "Local.Get": "asks", "Local.Set": "sets",

	"Lock.Release": "gives back", "RLock.Release": "gives back", "RWLock.Release": "gives back", "RWLock.ReleaseRead": "gives back",
	"Semaphore.Release": "gives back", "Semaphore.ReleaseN": "gives back", "Condition.Release": "gives back",

	"Lock.TryAcquire": "tries", "RLock.TryAcquire": "tries", "RWLock.TryAcquire": "tries", "RWLock.TryAcquireRead": "tries",
	"Semaphore.TryAcquire": "tries", "Semaphore.TryAcquireN": "tries", "Condition.TryAcquire": "tries",
	"TrySelect": "tries", "WaitList.TryWait": "tries",

	"NoteHeld": "tells", "NoteReleased": "tells",

	"Broadcast.Subscribe": "subscribes",

	"UntilStop": "makes a context", "Stopping": "asks",

	"Go": "starts something", "Spawn": "starts something", "SpawnThread": "starts something", "WithTimeout": "starts something",

	"DisableCancellation": "its function waits", "EnableCancellation": "its function waits", "Result.Do": "its function waits",
	"CancelScope.Run": "its function waits",
	"TimeoutAfter":    "its function waits", "TimeoutAt": "its function waits",
	"IgnoreAfter": "its function waits", "IgnoreAt": "its function waits",

	"Run":        "waits for its function, whatever happens: see ../../kernel_test.go",
	"Kernel.Run": "waits for its function, whatever happens: see ../../kernel_test.go",
}

// Whatever is exported and takes a context is in the table, or known not to wait: so a
// new operation joins it in the same commit.
func TestEveryOperationIsInTheTable(t *testing.T) {
	known := map[string]bool{}
	for name := range neverWaits {
		known[name] = true
	}
	for _, o := range operations() {
		for _, name := range o.covers {
			if _, ok := neverWaits[name]; ok {
				t.Errorf("%s is said never to wait, and is in the table", name)
			}
			known[name] = true
		}
	}
	exported := contextFunctions(t)
	for _, name := range exported {
		if !known[name] {
			t.Errorf("%s takes a context, and is neither in the table of operations nor in neverWaits", name)
		}
		delete(known, name)
	}
	for name := range known {
		t.Errorf("there is no %s", name)
	}
}

// contextFunctions are the exported functions, and methods of exported types, of this
// package that take a context first.
func contextFunctions(t *testing.T) (names []string) {
	const root = "../.."
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, e.Name()), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || !fn.Name.IsExported() || len(fn.Type.Params.List) == 0 {
				continue
			}
			first, ok := fn.Type.Params.List[0].Type.(*ast.SelectorExpr)
			if !ok || fmt.Sprint(first.X, ".", first.Sel) != "context.Context" {
				continue
			}
			name := fn.Name.Name
			if fn.Recv != nil {
				receiver := receiverOf(fn)
				if !ast.IsExported(receiver) {
					continue
				}
				name = receiver + "." + name
			}
			names = append(names, name)
		}
	}
	return names
}

// receiverOf is the name of the type of a method, without its parameters.
func receiverOf(fn *ast.FuncDecl) string {
	of := fn.Recv.List[0].Type
	for {
		switch e := of.(type) {
		case *ast.StarExpr:
			of = e.X
		case *ast.IndexExpr:
			of = e.X
		case *ast.IndexListExpr:
			of = e.X
		case *ast.Ident:
			return e.Name
		default:
			return ""
		}
	}
}
