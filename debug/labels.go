package debug

import (
	"context"
	"maps"
	"runtime/pprof"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/curio-go/curio"
	"github.com/curio-go/curio/internal/labelled"
	"github.com/curio-go/curio/internal/wait"
)

// Labels are the labels with which the goroutines of tasks are marked for the profiler of Go's
// runtime. Zero means none.
type Labels uint8

// The labels of a task.
const (
	// TaskNames is the label "curio.task" with the name of the task.
	TaskNames Labels = 1 << iota

	// TaskIDs is the label "curio.task.id" with the ID of the task, which Stack needs. A profile
	// then has a sample of its own for each task, so profiles of programs with very many tasks are
	// large.
	TaskIDs
)

const nameKey = "curio.task"

// SetLabels sets which labels of package runtime/pprof the tasks that are spawned from now on get,
// and returns the previous setting. Tasks that run already keep theirs. SetLabels may be called at
// any time, by several goroutines at once.
//
// CPU profiles and goroutine profiles have these labels, so that
//
//	go tool pprof -tagfocus=curio.task=worker cpu.pprof
//
// shows what tasks named worker have done. With the setting tracebacklabels=1 of the environment
// variable GODEBUG, which needs Go 1.26, the stacks of a crash and of SIGQUIT have the labels too.
// Names of tasks are then in files that others may read.
//
// The goroutines that a task starts inherit its labels, as always in Go. This applies to functions
// in threads, but not to shared goroutines of this module. A task's context has the labels as well,
// so pprof.Do in a task adds to them, and restores them. Your own labels in the context with which a
// task is spawned are kept. Labels that were set by pprof.SetGoroutineLabels, and are not in the
// context, are not passed on to tasks.
//
// Labels are off by default. With TaskNames, spawning and joining a task that does nothing takes a
// fifth longer; with TaskIDs too, it takes three quarters longer. Nothing else takes longer.
func SetLabels(l Labels) (before Labels) {
	marking.Lock()
	defer marking.Unlock()
	now := marking.now.Load()
	before = now.labels
	if l == before {
		return before
	}
	if l&TaskIDs != 0 {
		labelled.Used.Store(true)
	}
	marking.set(&settings{labels: l, trace: now.trace})
	return before
}

// marking is how tasks are marked. The settings are replaced, and never changed.
var marking = newMarker()

type marker struct {
	sync.Mutex // held to replace the settings
	now        atomic.Pointer[settings]
	known      knownLabels
	started    bool // package wait knows of it
}

type settings struct {
	labels Labels
	trace  bool
}

func newMarker() *marker {
	m := new(marker)
	m.now.Store(new(settings))
	return m
}

// set replaces the settings. The caller holds the mutex.
func (m *marker) set(s *settings) {
	m.now.Store(s)
	if !m.started {
		m.started = true
		wait.SetMarker(m)
	}
	wait.SetRegions(s.trace)
}

// Born is part of wait.Marker.
func (m *marker) Born(o *wait.Owner, base context.Context) context.Context {
	s := m.now.Load()
	parent, marked := base.(*values)
	around := base // without any mark of this package's
	if marked {
		around = parent.around
	}
	v := m.labelled(s.labels, o, around, marked && parent.labels != nil)
	if s.trace {
		v = withTask(v, o, base, around)
	}
	if v == nil {
		return around
	}
	return v
}

// labelled returns the values of a task that looks for others in around, nil if no labels have to be set. If its parent
// is labelled it gets labels of its own in any case, or it would have its parent's.
func (m *marker) labelled(l Labels, o *wait.Owner, around context.Context, parentIs bool) *values {
	others, hasOurs := othersLabels(around)
	if l == 0 && !parentIs && !hasOurs {
		return nil
	}
	name := ""
	if l&TaskNames != 0 {
		name = taskOf(o).Name()
	}
	if l&TaskIDs == 0 && others == nil {
		v := m.known.labels(l, name)
		if around == nil {
			return v
		}
		return &values{around: around, labels: v.labels}
	}
	return &values{around: around, labels: makeLabels(l, name, o.ID, others)}
}

// makeLabels returns a context that has nothing but labels.
func makeLabels(l Labels, name string, id uint64, others []string) context.Context {
	list := others
	if l&TaskNames != 0 {
		list = append(list, nameKey, name)
	}
	if l&TaskIDs != 0 {
		list = append(list, labelled.Key, strconv.FormatUint(id, 10))
	}
	return pprof.WithLabels(context.Background(), pprof.Labels(list...))
}

// othersLabels returns the labels of ctx, which may be nil, as keys and values, without ours. hasOurs says whether
// these were among them: the context was derived from the context of a task with labels. If a method of the user's
// panics, there are no labels.
func othersLabels(ctx context.Context) (list []string, hasOurs bool) {
	if ctx == nil {
		return nil, false
	}
	defer func() {
		if recover() != nil {
			list, hasOurs = nil, false
		}
	}()
	pprof.ForLabels(ctx, func(key, value string) bool {
		if key == nameKey || key == labelled.Key {
			hasOurs = true
		} else {
			list = append(list, key, value)
		}
		return true
	})
	return list, hasOurs
}

// Runs is part of wait.Marker.
func (m *marker) Runs(base context.Context) (ends bool) {
	v, ok := base.(*values)
	if !ok {
		return false
	}
	if v.labels != nil {
		pprof.SetGoroutineLabels(v.labels)
	}
	return v.begin()
}

// Ends is part of wait.Marker.
func (m *marker) Ends(base context.Context) {
	if v, ok := base.(*values); ok {
		v.end()
	}
}

func taskOf(o *wait.Owner) *curio.AnyTask { return o.Task.(*curio.AnyTask) }

// knownLabels has the values of tasks that have a name and nothing else, so that they need not be made for each task.
type knownLabels struct {
	mu     sync.Mutex
	byName atomic.Pointer[map[string]*values]
	none   atomic.Pointer[values] // for a task that is to have no label, though the goroutine that spawns it has some
}

// maxKnown bounds the names that are kept: a program may make up a name for each task.
const maxKnown = 1000

func (k *knownLabels) labels(l Labels, name string) *values {
	if l == 0 {
		v := k.none.Load()
		if v == nil {
			v = &values{labels: makeLabels(0, "", 0, nil)}
			k.none.Store(v)
		}
		return v
	}
	if has := k.byName.Load(); has != nil {
		if v := (*has)[name]; v != nil {
			return v
		}
	}
	v := &values{labels: makeLabels(TaskNames, name, 0, nil)}
	k.mu.Lock()
	defer k.mu.Unlock()
	has := k.byName.Load()
	if has != nil && len(*has) >= maxKnown {
		return v
	}
	more := make(map[string]*values)
	if has != nil {
		maps.Copy(more, *has)
	}
	more[name] = v
	k.byName.Store(&more)
	return v
}
