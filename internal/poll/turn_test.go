package poll_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/curio-go/curio/internal/wait"
)

// The second reader waits for its turn, in order of arrival; one that is cancelled in
// the queue, first or not, is passed over.
func TestTurnsAreFIFO(t *testing.T) {
	a, b := pair(t)
	var mu sync.Mutex
	var order []int
	var tasks []*wait.Owner
	var joins []func() error
	for i := range 6 {
		o, join := in(t, func(ctx context.Context) error {
			_, err := a.Read(ctx, make([]byte, 1))
			if err == nil {
				mu.Lock()
				defer mu.Unlock()
				order = append(order, i)
			}
			return err
		})
		await(t, parked(o))
		await(t, func() bool { return a.Queued(false) == i })
		tasks, joins = append(tasks, o), append(joins, join)
	}
	for _, i := range []int{0, 3} {
		cancel(tasks[i])
		want(t, joins[i](), wait.ErrTaskCancelled)
	}
	for _, i := range []int{1, 2, 4, 5} {
		_, err := b.Write(context.Background(), []byte("x"))
		check(t, err)
		check(t, joins[i]())
	}
	if !slices.Equal(order, []int{1, 2, 4, 5}) {
		t.Errorf("order %v", order)
	}
}

func TestThousandCancelled(t *testing.T) {
	a, b := pair(t)
	var joins []func() error
	var tasks []*wait.Owner
	for i := range 1000 {
		o, join := in(t, a.WaitRead)
		await(t, parked(o))
		tasks, joins = append(tasks, o), append(joins, join)
		_ = i
	}
	for _, i := range rand.Perm(len(tasks)) {
		cancel(tasks[i])
	}
	for _, join := range joins {
		want(t, join(), wait.ErrTaskCancelled)
	}
	if n := a.Queued(false); n != 0 {
		t.Errorf("%d in the queue", n)
	}
	_, err := b.Write(context.Background(), []byte("x"))
	check(t, err)
	check(t, a.WaitRead(context.Background()))
}

// What two tasks write at once is not mixed.
func TestWriteAllKeepsTogether(t *testing.T) {
	a, b := pair(t)
	const size = 1 << 20
	var joins []func() error
	for i := range 3 {
		_, join := in(t, func(ctx context.Context) error {
			_, err := a.WriteAll(ctx, slices.Repeat([]byte{byte(i)}, size))
			return err
		})
		joins = append(joins, join)
	}
	buf := make([]byte, 3*size)
	for n := 0; n < len(buf); {
		k, err := b.Read(context.Background(), buf[n:])
		check(t, err)
		n += k
	}
	for block := range slices.Chunk(buf, size) {
		if i := slices.IndexFunc(block, func(x byte) bool { return x != block[0] }); i >= 0 {
			t.Fatalf("at %d begins somebody else's", i)
		}
	}
	for _, join := range joins {
		check(t, join())
	}
}

// Goroutines that take turns, some of them cancelled at any moment: never two at a
// time, and none is forgotten.
func TestTurnUnderStress(t *testing.T) {
	var turn wait.Turn
	var holders atomic.Int32
	var all sync.WaitGroup
	for seed := range 8 {
		all.Go(func() {
			random := rand.New(rand.NewPCG(uint64(seed), 1))
			for range 2000 {
				if err := takeOnce(&turn, &holders, random); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	place, err := wait.At(context.Background())
	check(t, err)
	check(t, turn.Take(place, "", nil))
}

func takeOnce(turn *wait.Turn, holders *atomic.Int32, random *rand.Rand) error {
	o := new(wait.Owner)
	o.InitTask(context.Background(), wait.NewKernel())
	defer o.Close()
	place, err := wait.At(&o.Scope)
	if err != nil {
		return err
	}
	if random.IntN(2) == 0 {
		done := make(chan bool)
		go func() { cancel(o); close(done) }()
		defer func() { <-done }()
	}
	if err := turn.Take(place, "TURN", nil); err != nil {
		if !errors.Is(err, wait.ErrTaskCancelled) {
			return err
		}
		return nil
	}
	defer turn.Pass()
	if n := holders.Add(1); n != 1 {
		return fmt.Errorf("%d at a time", n)
	}
	holders.Add(-1)
	return nil
}
