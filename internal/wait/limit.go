package wait

import "context"

// NewLimit is NewTimeout for a limit that has a name: an error that tells it apart from
// other timeouts. errors.Is finds the name in the errors of everything that the limit has
// ended, and the name is their reason.
//
// The reason of any other cancellation is somebody else's error, which errors.Is must not
// find: it may be a timeout, and a task that was cancelled because of it has not timed out.
func NewLimit(ctx context.Context, at int64, name error) *Scope {
	s := &Scope{kind: Timeout, expires: at, rare: &rare{name: name}}
	s.enter(ctx, Default)
	return s
}

// limitName returns the name of s, nil if s is not a limit.
func (s *Scope) limitName() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rare == nil {
		return nil
	}
	return s.rare.name
}
