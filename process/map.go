package process

import (
	"context"
	"iter"
)

// Map calls fn with each of args in workers, and yields the results in the order of args, or with Unordered
// as they come.
//
//	for page, err := range process.Map(ctx, render, slices.Values(numbers)) {
//		if err != nil {
//			return err
//		}
//		…
//	}
//
// An argument is taken from args only when there is room for its call. At most twice as many calls as the pool has workers have begun at any time
// and not been yielded, also if the first of them takes long. So args may be endless.
//
// A call that fails is yielded as a *curio.ItemError, which has the index of the argument and the error that Run would have
// returned, and the loop goes on with the others. When ctx is done, its error comes last, as it is. When the loop
// is left, by break, return or a panic, the calls that are left are cancelled. args is run, and the function
// of Progress is called, in the task that runs the loop. Each use of the iterator begins anew. Map panics if fn or args is nil.
//
// A waiting task is in the state PROCESS_MAP. The calls are tasks below it.
func Map[A, R any](ctx context.Context, fn *Func[A, R], args iter.Seq[A], opts ...Option) iter.Seq2[R, error] {
	f := mustBeRegistered("Map", fn)
	if args == nil {
		panic("process: Map over a nil sequence")
	}
	o := newOptions(opts)
	return func(yield func(R, error) bool) { mapAll(ctx, f, args, o, yield) }
}
