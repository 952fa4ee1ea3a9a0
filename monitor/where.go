package monitor

import "github.com/curio-go/curio"

// whereAre returns where the tasks of deadlocks are, with one look at stacks; the caller has taken the limit of stacks.
func whereAre(deadlocks []curio.Deadlock) map[*curio.AnyTask]string {
	var tasks []*curio.AnyTask
	for _, d := range deadlocks {
		for _, s := range d.Circle {
			tasks = append(tasks, s.Task)
		}
	}
	places := make(map[*curio.AnyTask]string, len(tasks))
	for i, stack := range curio.Tracebacks(tasks...) {
		if stack != "" {
			places[tasks[i]] = placeIn(stack, tasks[i])
		}
	}
	return places
}
