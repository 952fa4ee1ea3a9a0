package curio

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/curio-go/curio/internal/wait"
)

// This file finds tasks that can never go on.
//
// A task is stuck if it waits without a deadline, and all tasks that could end its wait are stuck themselves or have
// ended. stuckAmong begins with all tasks whose waits have known providers, strikes out the tasks that may yet be
// served, then the tasks that wait for these, and so on. The tasks that remain can only wait for one another.
//
// Tasks run while they are looked at, so what is found may never have been true at one moment: a task was seen waiting
// for a lock, and has got it and waits for another lock by the time that the holder is looked at. So the waits are
// looked at twice, before and after the look at the holders, and only tasks that are in the same wait both times count.
// They were in it all the time in between. A task that waits gives nothing back, and is given nothing except what ends
// its wait, so it also held the same things all the time.

// A Deadlock is a circle of tasks that wait for each other, or one task that waits for something
// that no task can provide any more. None of them will ever go on by itself. Cancelling one of them
// may help the others.
type Deadlock struct {
	// Circle has the tasks that wait for each other. Each waits for something that the next one has,
	// and the last one for something that the first one has. A task is alone in it if it waits for
	// itself, or for something that no task can provide, such as a lock whose holder has ended.
	Circle []Stuck

	// Behind is the number of other tasks that wait for the tasks in the circle, directly or not,
	// and will not go on either.
	Behind int
}

// A Stuck is a task in a [Deadlock].
type Stuck struct {
	Task   *AnyTask
	Op     string // what it does, as State shows it
	Object string // what it waits for
	Lost   bool   // the task that could provide it has ended

	cycle uint64 // of the wait
}

// String returns in one line what the task waits for.
func (s Stuck) String() string {
	text := fmt.Sprintf("task %s (%d): %s", s.Task.trail(), s.Task.ID(), s.Op)
	if s.Object != "" {
		text += " " + s.Object
	}
	return text
}

// String returns a line for each task of the circle.
func (d Deadlock) String() string {
	var b strings.Builder
	for i, s := range d.Circle {
		if i > 0 {
			b.WriteString("\n\t")
		}
		b.WriteString(s.String())
	}
	if d.Behind > 0 {
		fmt.Fprintf(&b, "\n\t%d more wait for these", d.Behind)
	}
	return b.String()
}

// Deadlocks returns the deadlocks among the tasks of the kernel, or nil if there is none. It looks
// at waits whose other side is known: for locks, bounded semaphores and Once, for the end of tasks
// and groups, and in a Select of these. A task is not part of a deadlock if it waits for anything
// else, if it has a deadline, or if it was cancelled. Neither are the tasks that wait for it. A
// cancellation that may yet come does not count.
//
// So a deadlock that is reported is real, if tasks release what they have taken themselves. A
// deadlock is not found if it includes a wait for an event, a queue or a channel, or a wait under a
// context of a type of your own, which may have a deadline.
//
// If several goroutines wait in the name of a task that has shared its context with them, the task
// may go on. If only one of them waits, that cannot be told from the task's own wait.
//
// Deadlocks takes each object's mutex for a moment, stops no task, and calls no code of yours. It
// looks at every task of the kernel, which takes some microseconds for each.
func (k *Kernel) Deadlocks() []Deadlock {
	if k.limited.Load() > 0 {
		return nil
	}
	waits := k.waits()
	for {
		stuck := stuckAmong(waits)
		if len(stuck) == 0 {
			return nil
		}
		still := make(map[*AnyTask]wait.Snapshot, len(stuck))
		for t, s := range stuck {
			if now, ok := t.owner.Parked(); ok && now.Cycle == s.wait.Cycle && now.Since == s.wait.Since && mayBeStuck(now) {
				still[t] = now
			}
		}
		if len(still) == len(stuck) {
			return circles(stuck)
		}
		waits = still
	}
}

// waits returns what the tasks of k wait for.
func (k *Kernel) waits() map[*AnyTask]wait.Snapshot {
	all := make(map[*AnyTask]wait.Snapshot)
	for _, t := range k.Tasks() {
		if s, ok := t.owner.Parked(); ok && mayBeStuck(s) {
			all[t] = s
		}
	}
	return all
}

// mayBeStuck reports whether a task with the wait s goes on only when the wait ends. If other goroutines wait in its
// name, one of them may be the task's own, and go on.
func mayBeStuck(s wait.Snapshot) bool { return !s.Over && !s.Shared }

// A stuckTask is a task that is, as far as is known, stuck.
type stuckTask struct {
	task *AnyTask
	wait wait.Snapshot
	on   [][]*reliance // one of these ends the wait, when all of its parts have happened
}

// A relyingOn is the key of a reliance. Its object is a pointer: see relyingOf.
type relyingOn struct {
	object relying
	op     string
}

// A stuckSearch finds tasks that are stuck.
type stuckSearch struct {
	stuck     map[*AnyTask]*stuckTask
	reliances map[relyingOn]*reliance             // nil if it is not known what has to happen
	lines     map[*reliance]map[*AnyTask]standing // see lineOf
	of        map[*AnyTask][]*reliance            // the ones that the task is part of
}

// stuckAmong returns the tasks that can never go on.
func stuckAmong(waits map[*AnyTask]wait.Snapshot) map[*AnyTask]*stuckTask {
	f := &stuckSearch{
		stuck: make(map[*AnyTask]*stuckTask), reliances: make(map[relyingOn]*reliance),
		lines: make(map[*reliance]map[*AnyTask]standing), of: make(map[*AnyTask][]*reliance),
	}
	for t, s := range waits {
		if on, ok := f.reliancesOf(t, s); ok {
			f.stuck[t] = &stuckTask{t, s, on}
		}
	}
	for _, s := range f.stuck {
		for _, each := range s.on {
			for _, r := range each {
				if r.waiting == nil {
					f.add(r)
				}
				r.waiting = append(r.waiting, s)
			}
		}
	}
	f.strike()
	return f.stuck
}

// reliancesOf returns what the wait s of t depends on. known is false if the wait may end by itself, or by somebody
// unknown.
func (f *stuckSearch) reliancesOf(t *AnyTask, s wait.Snapshot) (all [][]*reliance, known bool) {
	if s.Until != 0 || s.Scope.Limited() {
		return nil, false
	}
	for _, part := range s.Parts() {
		object := relyingOf(part.Object)
		if object == nil {
			return nil, false
		}
		key := relyingOn{object, part.Op}
		r, asked := f.reliances[key]
		if !asked {
			r = object.reliance(part.Op)
			f.reliances[key] = r
		}
		if r == nil {
			return nil, false
		}
		each := f.inLine(r, t)
		if each == nil {
			return nil, false
		}
		all = append(all, each)
	}
	return all, len(all) > 0
}

// inLine returns what has to happen before t is served: r itself, and the end of the waits in front of it. each is nil
// if t may be served by an unknown task, or has just been served.
func (f *stuckSearch) inLine(r *reliance, t *AnyTask) (each []*reliance) {
	if r.line == nil {
		return []*reliance{r}
	}
	at, waits := f.lineOf(r)[t]
	if !waits {
		return nil
	}
	if !at.fits {
		each = append(each, r)
	}
	if at.before != nil {
		each = append(each, &reliance{on: []*AnyTask{at.before}})
	}
	return each
}

// A standing is where a task is in a line.
type standing struct {
	before *AnyTask // the next one in front of it that holds it up, nil for none
	fits   bool     // nothing else holds it up
}

// lineOf returns where each task in the line of r is. A task that is there more than once, with a Select, is at the first
// of its places: what is in front of that is in front of all.
func (f *stuckSearch) lineOf(r *reliance) map[*AnyTask]standing {
	line := f.lines[r]
	if line == nil {
		line = make(map[*AnyTask]standing, len(r.line))
		var last *AnyTask
		for _, w := range r.line {
			if w.task == nil {
				continue
			}
			at, again := line[w.task]
			if !again {
				at.before = last
			}
			at.fits = at.fits || w.fits
			line[w.task] = at
			if !w.aside {
				last = w.task
			}
		}
		f.lines[r] = line
	}
	return line
}

// add counts how many of the tasks of r are stuck, and notes r at them: strike tells it if one may go on after all.
func (f *stuckSearch) add(r *reliance) {
	for _, t := range r.on {
		if f.stuck[t] != nil {
			r.stuck++
			f.of[t] = append(f.of[t], r)
		}
	}
}

// strike takes out the tasks that may go on, then the tasks that depended on these, and so on.
func (f *stuckSearch) strike() {
	var struck []*AnyTask
	look := func(s *stuckTask) {
		if f.stuck[s.task] != nil && s.mayGoOn() {
			delete(f.stuck, s.task)
			struck = append(struck, s.task)
		}
	}
	for _, s := range f.stuck {
		look(s)
	}
	for len(struck) > 0 {
		t := struck[len(struck)-1]
		struck = struck[:len(struck)-1]
		for _, r := range f.of[t] {
			was := r.isHopeless()
			if r.stuck--; was && !r.isHopeless() {
				for _, s := range r.waiting {
					look(s)
				}
			}
		}
	}
}

// mayGoOn reports whether one of the things that s waits for may yet come.
func (s *stuckTask) mayGoOn() bool {
	return slices.ContainsFunc(s.on, func(each []*reliance) bool {
		return !slices.ContainsFunc(each, (*reliance).isHopeless)
	})
}

// isHopeless reports whether what has to happen never will.
func (r *reliance) isHopeless() bool {
	if r.all {
		return r.lost || r.stuck > 0
	}
	return r.lost || len(r.on) > 0 && r.stuck == len(r.on)
}

// circles makes the deadlocks of stuck tasks. From each task it goes to one that this task waits for, and so on, until it
// is in a circle, or at a task that waits for something that nobody can provide. All ways with the same end are one
// deadlock.
func circles(stuck map[*AnyTask]*stuckTask) []Deadlock {
	tasks := make([]*stuckTask, 0, len(stuck))
	for _, s := range stuck {
		tasks = append(tasks, s)
	}
	slices.SortFunc(tasks, func(a, b *stuckTask) int { return cmp.Compare(a.task.ID(), b.task.ID()) })
	var found []Deadlock
	texts := make(objectTexts)
	of := make(map[*stuckTask]int) // which one of found; a number of its own as long as a way is being followed
	for i, start := range tasks {
		following := -1 - i
		var way []*stuckTask
		s := start
		for s != nil && of[s] == 0 {
			of[s] = following
			way = append(way, s)
			s = stuck[s.next(stuck)]
		}
		switch {
		case s == nil: // the last one is lost
			found = append(found, texts.deadlock(way[len(way)-1:]))
			found[len(found)-1].Behind = len(way) - 1
			s = way[len(way)-1]
			of[s] = len(found)
		case of[s] == following:
			at := slices.Index(way, s)
			found = append(found, texts.deadlock(way[at:]))
			found[len(found)-1].Behind = at
			of[s] = len(found)
		default:
			found[of[s]-1].Behind += len(way)
		}
		for _, w := range way {
			of[w] = of[s]
		}
	}
	return found
}

// next returns the task that s is shown to wait for, nil if s is lost: itself, if that is reason enough, and otherwise
// the oldest of the others.
func (s *stuckTask) next(stuck map[*AnyTask]*stuckTask) (next *AnyTask) {
	for r := range s.hopeless {
		if r.all && r.includes(s.task) {
			return s.task
		}
		for _, t := range r.oldest(stuck) {
			switch {
			case t == s.task && len(r.on) == 1:
				return t
			case next == nil || next == s.task || t != s.task && t.ID() < next.ID():
				next = t
			}
		}
	}
	return next
}

// includes reports whether t is one of the tasks of r.
func (r *reliance) includes(t *AnyTask) bool {
	if r.set == nil {
		r.set = make(map[*AnyTask]bool, len(r.on))
		for _, t := range r.on {
			r.set[t] = true
		}
	}
	return r.set[t]
}

// oldest returns the two oldest stuck tasks of r, or as many as there are: one of two is not the task that asks.
func (r *reliance) oldest(stuck map[*AnyTask]*stuckTask) []*AnyTask {
	if r.two == nil {
		r.two = make([]*AnyTask, 0, 3)
		for _, t := range r.on {
			if stuck[t] == nil {
				continue
			}
			at, _ := slices.BinarySearchFunc(r.two, t, func(a, b *AnyTask) int { return cmp.Compare(a.ID(), b.ID()) })
			r.two = slices.Insert(r.two, at, t)
			r.two = r.two[:min(2, len(r.two))]
		}
	}
	return r.two
}

// hopeless calls yield for what has to happen for s and never will.
func (s *stuckTask) hopeless(yield func(*reliance) bool) {
	for _, each := range s.on {
		for _, r := range each {
			if r.isHopeless() && !yield(r) {
				return
			}
		}
	}
}

// deadlock makes a Deadlock of a circle, which begins with its oldest task.
func (x objectTexts) deadlock(circle []*stuckTask) (d Deadlock) {
	oldest := 0
	for i, s := range circle {
		if s.task.ID() < circle[oldest].task.ID() {
			oldest = i
		}
	}
	circle = slices.Concat(circle[oldest:], circle[:oldest])
	for _, s := range circle {
		d.Circle = append(d.Circle, Stuck{s.task, s.wait.Op, x.text(s.wait.Object), s.isLost(), s.wait.Cycle})
	}
	return d
}

func (s *stuckTask) isLost() bool {
	for r := range s.hopeless {
		if r.lost {
			return true
		}
	}
	return false
}
