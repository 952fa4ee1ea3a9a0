package curio

import (
	"cmp"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/curio-go/curio/internal/wait"
)

// This file makes the picture of what tasks do. It is put together task by task, while all of them run: the wait of a task
// is seen at one moment, and two tasks at two. No lock is held for longer than it takes to look at one task or one object,
// and nothing of the user's is called.

// A TaskInfo describes a task at the time of an inspection.
type TaskInfo struct {
	Task   *AnyTask
	Parent *AnyTask // see AnyTask.Parent
	Kernel *Kernel

	Kind    TaskKind
	State   string    // see AnyTask.State
	Cycles  uint64    // see AnyTask.Cycles
	Started time.Time // when it was spawned
	Spawned string    // file:line of the call that spawned it, or, for a function of your own, of the function

	// Waits are the things that the task waits for. There are several if it waits in a Select, and
	// none if it does not wait in a call of this module. Any one of them ends the wait. The task has
	// waited since Since, and will wait until Until at most, which is zero if the wait does not end
	// by itself.
	Waits        []Wait
	Since, Until time.Time

	// Deadline is the earliest of the deadlines around the operation that the task waits in, or
	// around its function if it does not wait. It is zero if there is none.
	Deadline time.Time

	Cancelled *Cancellation // how it was cancelled, and when; nil if it was not
	Essential bool
	InGroup   bool // it is a member of a group
}

// A TaskKind is the role that a task has in its kernel.
type TaskKind string

// The kinds of tasks.
const (
	OrdinaryTask TaskKind = "task"
	MainTask     TaskKind = "main"    // Run runs it
	DaemonTask   TaskKind = "daemon"  // spawned with Daemon
	ServiceTask  TaskKind = "service" // spawned with Service
)

// A Wait is one of the things that a task waits for.
type Wait struct {
	Op     string // what the task does, as State shows it
	Object string // what it waits for, as text, "" if there is nothing to name

	// On are the tasks that have to act before the wait can end: the holders of a lock or of the
	// units of a bounded semaphore, the task that is joined, or the members of a group. On is empty
	// if any task may end the wait.
	On []*AnyTask

	// Perhaps are tasks that may end the wait, because they have used the object lately: up to two
	// that have put items into the queue, or got some from it, or the holders of the units of a
	// semaphore that any task may release.
	Perhaps []*AnyTask

	Lost bool // the only task that could provide it has ended
}

// Inspect describes the tasks of k that have not ended, the oldest first. A task that was spawned,
// or moved to another parent, during the call may be missing.
//
// Inspect stops no task, takes each object's mutex for a moment, and calls no code of yours. It
// takes some microseconds for each task. The stack of a task, which costs more, is not part of it:
// see AnyTask.Traceback.
func (k *Kernel) Inspect() []TaskInfo {
	tasks := k.Tasks()
	slices.SortFunc(tasks, func(a, b *AnyTask) int { return cmp.Compare(a.ID(), b.ID()) })
	p := newPicture()
	p.addTasks(tasks)
	infos := make([]TaskInfo, 0, len(tasks))
	for _, t := range tasks {
		infos = append(infos, p.info(t))
	}
	return infos
}

// Inspect describes t. See Kernel.Inspect.
func (t *AnyTask) Inspect() TaskInfo {
	p := newPicture()
	return p.info(t)
}

// InspectTasks describes the given tasks, in their order. It costs less than an Inspect for each of
// them if many wait for the same object. The tasks may belong to several kernels. See
// Kernel.Inspect.
func InspectTasks(tasks ...*AnyTask) []TaskInfo {
	pictures := make(map[*Kernel]*picture)
	infos := make([]TaskInfo, 0, len(tasks))
	for _, t := range tasks {
		p := pictures[t.kernel]
		if p == nil {
			its := newPicture()
			p = &its
			pictures[t.kernel] = p
		}
		infos = append(infos, p.info(t))
	}
	return infos
}

// Kernels returns the kernels of the process that have not been shut down, the default one first.
func Kernels() []*Kernel {
	kernels.Lock()
	defer kernels.Unlock()
	all := make([]*Kernel, 0, len(kernels.open))
	for k := range kernels.open {
		all = append(all, k)
	}
	slices.SortFunc(all, func(a, b *Kernel) int { return cmp.Compare(a.id, b.id) })
	return all
}

// kernels are the ones that have not been shut down.
var kernels = struct {
	sync.Mutex
	open map[*Kernel]struct{}
	last uint64 // the last id
}{open: make(map[*Kernel]struct{})}

func (k *Kernel) register() {
	kernels.Lock()
	defer kernels.Unlock()
	kernels.last++
	k.id = kernels.last
	kernels.open[k] = struct{}{}
}

func (k *Kernel) unregister() {
	kernels.Lock()
	defer kernels.Unlock()
	delete(kernels.open, k)
}

// ID returns a number that no other kernel of this process has. The default kernel has 1.
func (k *Kernel) ID() uint64 { return k.id }

// A picture is what has been found out so far, so that what many tasks wait for is looked at once.
type picture struct {
	texts  objectTexts
	waits  map[waitingFor]Wait
	places map[uintptr]string
	tasks  map[uint64]*AnyTask // of the kernel, by ID; nil if nobody has asked yet
}

// waitingFor is the key of a wait. Its object is a pointer.
type waitingFor struct {
	object any
	op     string
}

func newPicture() picture {
	return picture{texts: make(objectTexts), waits: make(map[waitingFor]Wait), places: make(map[uintptr]string)}
}

func (p *picture) addTasks(tasks []*AnyTask) {
	p.tasks = make(map[uint64]*AnyTask, len(tasks))
	for _, t := range tasks {
		p.tasks[t.ID()] = t
	}
}

func (p *picture) info(t *AnyTask) TaskInfo {
	info := TaskInfo{
		Task: t, Parent: t.Parent(), Kernel: t.kernel,
		Kind: t.role.kind(), State: t.State(), Cycles: t.Cycles(), Started: wait.Time(t.born), Spawned: p.birthplace(t),
		Essential: t.essential, InGroup: t.member() != nil,
	}
	scope := &t.owner.Scope
	if s, ok := t.owner.Parked(); ok && !t.Terminated() {
		info.State, info.Since = s.Op, wait.Time(s.Since)
		if s.Until != 0 {
			info.Until = wait.Time(s.Until)
		}
		for _, part := range s.Parts() {
			info.Waits = append(info.Waits, p.wait(t, part))
		}
		if s.Scope != nil {
			scope = s.Scope
		}
	}
	if due := scope.Due(); due != 0 {
		info.Deadline = wait.Time(due)
	}
	if c := t.owner.Cause(); c != nil && c.Kind != wait.Ended {
		cancellation := cancellationOf(c)
		info.Cancelled = &cancellation
	}
	return info
}

// wait returns what is known of what t waits for.
func (p *picture) wait(t *AnyTask, part wait.Part) Wait {
	if part.Object == nil || reflect.TypeOf(part.Object).Kind() != reflect.Pointer {
		return Wait{Op: part.Op, Object: p.texts.text(part.Object)}
	}
	key := waitingFor{part.Object, part.Op}
	w, known := p.waits[key]
	if !known {
		w = Wait{Op: part.Op, Object: p.texts.text(part.Object)}
		if object := relyingOf(part.Object); object != nil {
			if r := object.reliance(part.Op); r != nil {
				w.On, w.Lost = r.on, r.lost
			}
		}
		if used, ok := part.Object.(usedLately); ok && isOurs(part.Object) && len(w.On) == 0 {
			w.Perhaps = p.named(t, used.usedLately(part.Op))
		}
		p.waits[key] = w
	}
	return w
}

// A usedLately is an object that remembers some tasks that have used it, by their IDs.
type usedLately interface {
	// usedLately returns the tasks that may end a wait in the state op.
	usedLately(op string) []uint64
}

// named returns the tasks of t's kernel with the given IDs that have not ended.
func (p *picture) named(t *AnyTask, ids []uint64) (tasks []*AnyTask) {
	if len(ids) > 0 && p.tasks == nil {
		p.addTasks(t.kernel.Tasks())
	}
	for _, id := range ids {
		if t := p.tasks[id]; t != nil {
			tasks = append(tasks, t)
		}
	}
	return tasks
}

// birthplace is where t was spawned, or where its function begins.
func (p *picture) birthplace(t *AnyTask) string {
	pc := t.entry
	if at := t.spawn(); at != 0 {
		pc = at - 1 // inside the call
	}
	at, known := p.places[pc]
	if !known {
		if f := runtime.FuncForPC(pc); f != nil {
			file, line := f.FileLine(pc)
			at = filepath.Base(filepath.Dir(file)) + "/" + filepath.Base(file) + ":" + strconv.Itoa(line)
		}
		p.places[pc] = at
	}
	return at
}

func (r role) kind() TaskKind {
	return [...]TaskKind{OrdinaryTask, MainTask, DaemonTask, ServiceTask}[r]
}
