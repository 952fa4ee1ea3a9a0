package main

// This file has what the monitor answers. Times are seconds, relative to the moment of the answer; a time that a task
// does not have is nil. All text may have come from anywhere, and is cleaned before it is shown: see clean.

// A picture is what all tasks of a program do.
type picture struct {
	Program    string `json:"program"`
	PID        int    `json:"pid"`
	Changes    bool   `json:"changes"` // whether the monitor lets clients cancel tasks
	Goroutines int    `json:"goroutines"`
	Total      int    `json:"total"`    // of all tasks
	LeftOff    int    `json:"left_off"` // tasks that match the filter and are not in Tasks
	Tasks      []task `json:"tasks"`    // the oldest first
}

// A task is what one task does.
type task struct {
	ID        uint64        `json:"id"` // no other task of the program ever has it
	Name      string        `json:"name"`
	Path      string        `json:"path"`   // its name and the names of the tasks above it
	Parent    uint64        `json:"parent"` // 0 if it has none
	Kernel    uint64        `json:"kernel"`
	Kind      string        `json:"kind"`
	State     string        `json:"state"`
	Cycles    uint64        `json:"cycles"`
	Age       float64       `json:"age"`
	Spawned   string        `json:"spawned"`
	Waits     []wait        `json:"waits"`
	Waiting   *float64      `json:"waiting"`
	Until     *float64      `json:"until"`
	Deadline  *float64      `json:"deadline"`
	Cancelled *cancellation `json:"cancelled"`
	Essential bool          `json:"essential"`
	Group     bool          `json:"group"`
}

// A wait is one of the things that a task waits for.
type wait struct {
	Op     string   `json:"op"`
	Object string   `json:"object"`
	On     []uint64 `json:"on"` // the tasks that can end the wait
}

// A cancellation says how a task was cancelled.
type cancellation struct {
	By      string  `json:"by"`
	Where   string  `json:"where"`
	Ago     float64 `json:"ago"`
	Reason  string  `json:"reason"`
	Expired bool    `json:"expired"` // a deadline has passed, nobody has called Cancel
}

// A stack is where one task is.
type stack struct {
	ID    uint64  `json:"id"`
	Where string  `json:"where"`
	Stack string  `json:"stack"`
	Pause float64 `json:"pause"` // how long the program was stopped for it
}

// A chain is what a task waits for, what that waits for, and so on.
type chain struct {
	Text string `json:"text"`
}

// A deadlockList has all deadlocks of a program.
type deadlockList struct {
	Deadlocks []deadlock `json:"deadlocks"`
}

// A deadlock is a circle of tasks that wait for each other.
type deadlock struct {
	Circle []stuck `json:"circle"`
	More   int     `json:"more,omitempty"` // tasks left off from Circle
	Behind int     `json:"behind"`         // other tasks that wait for these
}

// A stuck is a task in a deadlock.
type stuck struct {
	ID     uint64 `json:"id"`
	Name   string `json:"name"`
	Op     string `json:"op"`
	Object string `json:"object"`
	Lost   bool   `json:"lost"` // the task that could end the wait has ended
	Where  string `json:"where"`
}
