package events

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// The ring belongs to the process, so no test here is parallel to another. Each uses numbers of tasks of its own.
var lastTask uint64 = 1 << 40

func newTask() uint64 {
	lastTask++
	return lastTask
}

// of returns the events of a task.
func of(all []Event, task uint64) []Event {
	return slices.DeleteFunc(slices.Clone(all), func(e Event) bool { return e.Task != task })
}

func TestReadsWhatWasRecorded(t *testing.T) {
	for _, length := range []int{0, 1, textSize, textSize + 1, 3 * textSize, mostParts * textSize, mostParts*textSize + 1, 10_000} {
		task, text := newTask(), strings.Repeat("abcdefghijk", 1000)[:length]
		Add(Created, -7, task, 1<<63, text)
		Add(Ended, 1<<62, task, 1, "")
		kept := min(length, mostParts*textSize)
		want := []Event{
			{Kind: Created, Time: -7, Task: task, Arg: 1 << 63, Text: text[:kept], Cut: kept < length},
			{Kind: Ended, Time: 1 << 62, Task: task, Arg: 1},
		}
		if got := of(Read(), task); !reflect.DeepEqual(got, want) {
			t.Errorf("a text of %d bytes: read %v, want %v", length, got, want)
		}
	}
}

func TestReadIsOrderedByTime(t *testing.T) {
	a, b := newTask(), newTask() // in two shards
	Add(Created, 1, a, 0, "")
	Add(Created, 2, b, 0, "")
	Add(Ended, 3, b, 0, "")
	Add(Ended, 4, a, 0, "")
	var got []int64
	for _, e := range Read() {
		if e.Task == a || e.Task == b {
			got = append(got, e.Time)
		}
	}
	if !slices.Equal(got, []int64{1, 2, 3, 4}) {
		t.Error("the order is", got)
	}
}

func TestRecordingAllocatesNothing(t *testing.T) {
	task := newTask()
	Add(Created, 1, task, 0, "") // makes the memory
	text := strings.Repeat("x", 2*textSize)
	if n := testing.AllocsPerRun(100, func() { Add(Waits, 1, task, 0, text) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// A ring that has run over has the newest events, and no rest of an older one.
func TestRunsOver(t *testing.T) {
	task := newTask()
	long := strings.Repeat("long ", 20)
	for i := range 10_000 {
		Add(Waits, int64(i), task, uint64(i), long)
	}
	got := of(Read(), task)
	if len(got) == 0 || got[len(got)-1].Arg != 9_999 {
		t.Fatal("the newest is missing")
	}
	for i, e := range got {
		if e.Text != long || e.Cut || e.Arg != got[0].Arg+uint64(i) {
			t.Fatalf("number %d of %d is %v", i, len(got), e)
		}
	}
}

func TestCursorSaysWhatIsLost(t *testing.T) {
	defer Ask(Order)()
	c := NewCursor()
	task := newTask()
	const n = 3 * large
	for i := range n {
		Add(Waits, 1, task, uint64(i), "")
	}
	got, lost := c.Next()
	if len(got) != large || lost != n-large || got[0].Arg != n-large {
		t.Errorf("%d events and %d lost", len(got), lost)
	}
	if got, lost := c.Next(); len(got) != 0 || lost != 0 {
		t.Errorf("then %v and %d lost", got, lost)
	}
}

// When somebody has every shard, an event is dropped and counted, and nobody waits.
func TestNobodyWaits(t *testing.T) {
	c := NewCursor()
	for i := range ring {
		ring[i].mu.Lock()
	}
	Add(Created, 1, newTask(), 0, "")
	ring[3].mu.Unlock()
	task := newTask()
	Add(Created, 1, task, 0, "goes elsewhere")
	for i := range ring {
		if i != 3 {
			ring[i].mu.Unlock()
		}
	}
	got, lost := c.Next()
	if lost != 1 || len(of(got, task)) != 1 || len(got) != 1 {
		t.Errorf("read %v, and %d lost", got, lost)
	}
}

func TestMove(t *testing.T) {
	task := newTask()
	Add(Created, 1, task, 0, "before the move")
	mem := make([]byte, Size)
	Move(mem)
	defer Move(nil)
	Add(Waits, 2, task, 0, strings.Repeat("in the file ", 5))
	want := of(Read(), task)
	if len(want) != 2 {
		t.Fatal("read", want)
	}
	if got := of(Decode(mem), task); !reflect.DeepEqual(got, want) {
		t.Errorf("in memory there is %v, want %v", got, want)
	}
	defer Ask(Order)() // which makes a ring of our own larger, but not this one
	Add(Ended, 3, task, 0, "")
	if got := of(Decode(mem), task); len(got) != 3 {
		t.Error("in memory there is", got)
	}
	Move(nil)
	if got := of(Read(), task); len(got) != 3 {
		t.Error("after moving back there is", got)
	}
	Add(Ended, 4, task, 0, "")
	if got := of(Decode(mem), task); len(got) != 3 {
		t.Error("the old memory is still written:", got)
	}
}

// A process may be killed in the middle of a record.
func TestDecodeLeavesOutWhatIsTorn(t *testing.T) {
	mem := make([]byte, Size)
	Move(mem)
	defer Move(nil)
	task := newTask()
	Add(Created, 1, task, 0, "whole")
	whole := slices.Clone(mem)
	Add(Ended, 2, task, 5, "torn")
	for i := 0; i < len(mem); i += recordSize {
		if slices.Equal(mem[i:i+recordSize], whole[i:i+recordSize]) {
			continue
		}
		for n := range recordSize {
			torn := slices.Clone(mem)
			copy(torn[i+n:i+recordSize], whole[i+n:i+recordSize])
			got := of(Decode(torn), task)
			rest := slices.Equal(torn, mem)
			if len(got) != 1 && !rest {
				t.Fatalf("with %d bytes of the second record there is %v", n, got)
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(make([]byte, 100))
	var r record
	r.put(Created, 1, 2, 3, 4, "some text that is longer than a record has room for")
	f.Add(slices.Concat(r[:], r[:]))
	f.Fuzz(func(t *testing.T, mem []byte) {
		for _, e := range Decode(mem) {
			if e.Kind == 0 || e.Kind == more {
				t.Errorf("%v", e)
			}
		}
	})
}

func TestAsk(t *testing.T) {
	if !Wants(Tasks) || Wants(Pauses|Steps|Order|Errors) {
		t.Fatal("at the beginning, not just tasks are wanted")
	}
	first, second := Ask(Pauses), Ask(Pauses|Steps)
	first()
	first()
	if !Wants(Pauses) || !Wants(Steps) {
		t.Error("one has let go, and so has the other")
	}
	second()
	if Wants(Pauses | Steps) {
		t.Error("nobody asks, and waits are wanted")
	}
	if before := Base(0); before != Tasks || Wants(Tasks) {
		t.Error("the base was", before)
	}
	defer Base(Tasks)
	release := Ask(Tasks)
	if !Wants(Tasks) {
		t.Error("a trace does not get what is not recorded otherwise")
	}
	release()
}

func TestFailures(t *testing.T) {
	f := CollectFailures()
	if !Wants(Errors) {
		t.Fatal("nobody wants errors")
	}
	for i := range mostFailures + 5 {
		Fail(Failure{Task: uint64(i)})
	}
	list, lost := f.Take()
	if len(list) != mostFailures || lost != 5 || list[1].Task != 1 {
		t.Errorf("%d failures, and %d lost", len(list), lost)
	}
	f.Stop()
	Fail(Failure{})
	if list, lost := f.Take(); len(list) != 0 || lost != 0 || Wants(Errors) {
		t.Error("it has not stopped")
	}
}

func TestSettle(t *testing.T) {
	Settle()
	n := 0
	remove := OnSettle(func() { n++ })
	Settle()
	remove()
	Settle()
	if n != 1 {
		t.Errorf("called %d times", n)
	}
}

func BenchmarkAdd(b *testing.B) {
	for _, order := range []bool{false, true} {
		b.Run(fmt.Sprintf("order=%v", order), func(b *testing.B) {
			b.ReportAllocs()
			if order {
				defer Ask(Order)()
			}
			for b.Loop() {
				Add(Created, 1, 17, 3, "worker of something")
			}
		})
	}
}
