package channel

import (
	"context"
	"errors"
	"os"
	"strconv"
	"sync"
	"time"
)

func worker(ctx context.Context, in <-chan int, out chan<- int) {
	out <- 1            // want `this send to out goes on waiting when ctx is done: use curio.Send, or a select with a case <-ctx.Done\(\)`
	n := <-in           // want `this receive from in goes on waiting when ctx is done: use curio.Receive`
	for m := range in { // want `this loop over in goes on waiting when ctx is done`
		n += m
	}
	select { // want `this select goes on waiting when ctx is done: add a case <-ctx.Done\(\), or use curio.Select`
	case out <- n:
	case n = <-in:
		n += <-in // want `this receive from in`
	}
}

func selects(ctx context.Context, in <-chan int, out chan<- int, quit chan struct{}, done <-chan os.Signal) {
	select {
	case out <- 1:
	default:
	}
	select {
	case <-in:
	case <-ctx.Done():
		<-in // it is told to end
	}
	select {
	case <-in:
	case <-time.After(time.Second):
	}
	select {
	case <-in:
	case <-quit:
	}
	select { // want `this select`
	case <-in:
	case <-done:
	}
	over := ctx.Done()
	select {
	case <-in:
	case <-over:
		<-in
	}
	<-ctx.Done()
	<-in
}

type server struct {
	done    chan struct{}
	answers chan int
	jobs    chan int
	slots   chan struct{}
}

func newServer() *server {
	return &server{done: make(chan struct{}), answers: make(chan int, 1), jobs: make(chan int, 10), slots: make(chan struct{}, 3)}
}

func (s *server) use(ctx context.Context) {
	<-s.done              // want `this receive from s.done`
	s.answers <- 1        // room for the one answer
	s.jobs <- 1           // want `this send to s.jobs`
	s.slots <- struct{}{} // want `this send to s.slots`
	<-s.slots             // given back
}

func (s *server) Shutdown(ctx context.Context) {
	close(s.jobs)
	<-s.done
}

func (s *server) maybe(ctx context.Context, stop bool) {
	if stop {
		close(s.jobs)
	}
	<-s.done // want `this receive from s.done`
}

// What a goroutine with the context sends ends with the context.
func local(ctx context.Context) (int, error) {
	found := make(chan int)
	go func() {
		found <- find(ctx)
	}()
	n := <-found

	alone := make(chan int)
	go func() { alone <- find(context.Background()) }()
	n += <-alone // want `this receive from alone`

	slow := make(chan int)
	go func() { slow <- compute() }()
	n += <-slow // want `this receive from slow`

	for m := range stream(ctx) {
		n += m
	}
	all := stream(ctx)
	n += <-all
	return n, nil
}

// One goroutine closes the channel when the others, which have the context, have ended.
func collect(ctx context.Context, names []string) (sum int) {
	found := make(chan int)
	var wg sync.WaitGroup
	worker := func() {
		defer wg.Done()
		found <- find(ctx)
	}
	for range names {
		wg.Add(1)
		go worker()
	}
	go func() {
		wg.Wait()
		close(found)
	}()
	for n := range found {
		sum += n
	}
	wg.Wait()
	return sum
}

// The goroutine stays for ever if the context is done first.
func leak(ctx context.Context) (int, error) {
	found := make(chan int)
	go func() { found <- compute() }() // want `this send to found`
	select {
	case n := <-found:
		return n, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func room(ctx context.Context, many []int) (int, error) {
	found := make(chan int, 1)
	go func() { found <- compute() }()
	each := make(chan int, len(many))
	for range many {
		go func() { each <- compute() }()
	}
	few := make(chan int, 2)
	for range many {
		few <- 1 // want `this send to few`
	}
	for range many {
		one := make(chan int, 1)
		one <- 1
	}
	select {
	case n := <-found:
		return n, nil
	case <-each:
	case <-ctx.Done():
	}
	if err := ctx.Err(); err != nil {
		<-each
		return 0, err
	}
	return 0, errors.New("nothing")
}

func background(ctx context.Context, in chan int) {
	cleanup := func() { <-in }
	defer cleanup()
	defer func() { <-in }()
	go func() {
		for range in {
			compute()
		}
	}()
	forget := func() { <-in } // want `this receive from in`
	forget()
}

func ticks(ctx context.Context) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	<-ticker.C
	select {}
}

func cancels(ctx context.Context, in chan int) {
	ctx, cancel := context.WithCancel(ctx)
	go find(ctx)
	cancel()
	<-in
}

func find(ctx context.Context) int          { return 1 }
func compute() int                          { return 1 }
func stream(ctx context.Context) <-chan int { return nil }
func without(in chan int)                   { <-in }

func sum(ctx context.Context, names []string) int {
	found := make(chan int, len(names))
	for range names {
		go func() { found <- find(ctx) }()
	}
	return add(ctx, found, len(names))
}

func add(ctx context.Context, found chan int, n int) (sum int) {
	for range n {
		sum += <-found
	}
	return sum
}

func scheduled(ctx context.Context, schedule func(func(context.Context))) int {
	answer := make(chan int)
	schedule(func(ctx context.Context) { answer <- find(ctx) })
	return <-answer // want `this receive from answer`
}

func closedAtEnd(ctx context.Context, in chan int, stop func()) {
	context.AfterFunc(ctx, stop)
	for range in {
		compute()
	}
	<-feed()
}

type closer interface{ Close() }

func closedByGoroutine(ctx context.Context, in chan int, c closer) {
	go func() {
		<-ctx.Done()
		c.Close()
	}()
	<-in
}

func feed() chan int { return nil }

func onceInLoop(ctx context.Context, in chan int) error {
	failed := make(chan error, 1)
	go func() {
		for {
			if compute() == 0 {
				failed <- errors.New("nothing")
				return
			}
		}
	}()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func receivedAnyway(ctx context.Context, stop func()) error {
	failed := make(chan error)
	go func() { failed <- errors.New(strconv.Itoa(compute())) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		stop()
		<-failed
		return ctx.Err()
	}
}

func selectServed(ctx context.Context, in chan int) int {
	found := make(chan int, 1)
	go func() { found <- find(ctx) }()
	select {
	case n := <-found:
		return n
	case n := <-in:
		return n
	}
}

type watcher struct{ updates chan int }

func (w *watcher) Updates() <-chan int { return w.updates }

func watch(ctx context.Context) *watcher {
	w := &watcher{updates: make(chan int, 100)}
	w.updates <- 0 // it has room
	for range 200 {
		w.updates <- 1 // want `this send to w.updates`
	}
	return w
}

func watched(ctx context.Context) (sum int) {
	w := watch(ctx)
	for n := range w.Updates() {
		sum += n
	}
	return sum
}

func calledBack(ctx context.Context, commit func(context.Context, func())) {
	committed := make(chan struct{})
	commit(ctx, func() { close(committed) })
	<-committed
}

func fill(ctx context.Context, names []string) int {
	found := make(chan int, 2*len(names))
	for range names {
		go put(ctx, found)
	}
	return <-found
}

func put(ctx context.Context, found chan<- int) { found <- find(ctx) }
