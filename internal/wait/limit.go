package wait

import "context"

// NewLimit is NewTimeout for a limit that has a name: an error by which whoever meets it
// tells it from other timeouts. errors.Is finds the name in the errors of everything that
// the limit has ended, and it is their reason.
//
// The reason of any other cancellation is a stranger's error, which errors.Is must not
// find: it may be a timeout, and whoever was cancelled because of it has not timed out.
func NewLimit(ctx context.Context, at int64, name error) *Scope {
	s := &Scope{kind: Timeout, expires: at, rare: &rare{name: name}}
	s.enter(ctx, Default)
	return s
}

// limitName is the name of s if it is a limit.
func (s *Scope) limitName() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rare == nil {
		return nil
	}
	return s.rare.name
}
