package wait

import "context"

// WhenDone arranges for f to be called once, when ctx is done, or its scope is closed. If ctx is
// done already, WhenDone calls f itself. It calls ctx's methods, so the caller must hold nothing; it
// does not call any of them later. f is a function of ours that neither blocks nor panics; it may be
// called before WhenDone has returned. forget undoes the arrangement, unless f has been called; it
// calls nothing of ctx's and needs no lock of the caller's. The result is nil if there is nothing to
// undo.
//
// No goroutine waits for it, unless ctx is of a type that package context does not know, which
// costs one there too.
func WhenDone(ctx context.Context, f func()) (forget func()) {
	s, foreign := find(ctx)
	if foreign == nil {
		if s.look() != nil {
			f()
			return nil
		}
		stop := s.OnCancel(f)
		return func() { stop() }
	}
	if foreign.Done() == nil {
		return nil
	}
	own := Place{scope: s, foreign: foreign}.followed().scope
	if own.cause.Load() != nil {
		f()
		return nil
	}
	stop := own.OnCancel(f)
	return func() {
		stop()
		own.Close()
	}
}
