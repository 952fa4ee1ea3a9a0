package monitor

import "github.com/curio-go/curio"

// someOf returns the first tasks of a circle, which may be as long as there are tasks, and how many more there are.
func someOf(d curio.Deadlock) (some []curio.Stuck, more int) {
	some = d.Circle[:min(len(d.Circle), mostOn)]
	return some, len(d.Circle) - len(some)
}

// whereAre returns where the tasks of deadlocks are, with one look at stacks; the caller has taken the limit of stacks.
func whereAre(deadlocks []curio.Deadlock) map[*curio.AnyTask]string {
	var tasks []*curio.AnyTask
	for _, d := range deadlocks {
		stuck, _ := someOf(d)
		for _, s := range stuck {
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
