// Package waits has the benchmarks of locks, queues and their kind, beside what a Go
// programmer would otherwise write: channels with select, package sync, and
// golang.org/x/sync/semaphore.
package waits
