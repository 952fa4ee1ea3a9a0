package wait_test

import (
	"runtime"
	"sync"
	"testing"

	"github.com/curio-go/curio/internal/testutil"
	"github.com/curio-go/curio/internal/wait"
)

// A request at the moment in which what is below is passed on, begins to wait for it, or closes: each
// scope that waits for it ends, unless it has left the scope that is asked.
func TestRequestOfWhatIsPassedOn(t *testing.T) {
	rounds := testutil.Times(50_000)
	for _, procs := range []int{1, 2, 8} {
		old := runtime.GOMAXPROCS(procs)
		for round := range rounds / procs {
			kernel := wait.NewKernel()
			var asked, child wait.Owner
			var between [20]wait.Owner
			asked.InitTask(kernel, wait.Default)
			above := &asked.Scope
			for i := range between {
				between[i].InitTask(above, wait.Default)
				above = &between[i].Scope
			}
			child.InitTask(above, wait.Default)
			early := wait.NewUntil(&child.Scope)
			var late *wait.Scope
			cause := wait.NewRequest(&asked.Scope, nil, nil)
			var all sync.WaitGroup
			all.Go(func() { asked.Ask(cause) })
			all.Go(func() {
				for i := range between { // child and early are passed on, from one to the next
					between[i].Close()
				}
			})
			all.Go(func() { late = wait.NewUntil(&child.Scope) })
			all.Wait()
			if early.Cause() != cause || late.Cause() != cause {
				t.Fatalf("round %d: %v and %v", round, early.Cause(), late.Cause())
			}
			early.Close()
			late.Close()
			child.Close()
			asked.Close()
			if wait.Asking() {
				t.Fatal("a request is left")
			}
			if !kernel.CloseEmpty() {
				t.Fatal("something is left below the kernel")
			}
		}
		runtime.GOMAXPROCS(old)
	}
}

// A request to a scope that is closed is not left for good.
func TestRequestOfWhatIsClosed(t *testing.T) {
	kernel := wait.NewKernel()
	var ended wait.Owner
	ended.InitTask(kernel, wait.Default)
	ended.Close()
	ended.Announce()
	ended.Ask(wait.NewRequest(&ended.Scope, nil, nil))
	if !kernel.CloseEmpty() {
		t.Fatal("something is left below the kernel")
	}
	kernel.Ask(wait.NewRequest(kernel, nil, nil))
	if wait.Asking() {
		t.Error("a request is left")
	}
}

// A request does not reach what is beside or above the scope that is asked.
func TestRequestElsewhere(t *testing.T) {
	kernel := wait.NewKernel()
	defer kernel.CloseEmpty()
	var one, other wait.Owner
	one.InitTask(kernel, wait.Default)
	other.InitTask(kernel, wait.Default)
	defer one.Close()
	defer other.Close()
	above, beside := wait.NewUntil(kernel), wait.NewUntil(&other.Scope)
	defer above.Close()
	defer beside.Close()
	cause := one.Ask(wait.NewRequest(&one.Scope, nil, nil))
	if again := one.Ask(wait.NewRequest(&one.Scope, nil, nil)); again != cause {
		t.Error("the second request has replaced the first")
	}
	if above.Cause() != nil || beside.Cause() != nil || other.Asked() != nil || one.Asked() != cause || !one.AskedWith(cause) {
		t.Errorf("above %v, beside %v", above.Cause(), beside.Cause())
	}
	one.Announce()
	if !wait.Announced(&one.Scope) || wait.Announced(&other.Scope) {
		t.Error("it is announced to the wrong one")
	}
}
