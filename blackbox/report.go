package blackbox

import "time"

// version is of the format. It grows when a reader of the version before would be wrong about the file.
const version = 1

// A Report is the content of a black box file. Its times are by the clock of the machine that wrote
// the file.
type Report struct {
	Program    string    // the base name of the executable
	PID        int       // of the process
	Time       time.Time // when it was written; for a mapped file, the time of its last event
	Started    time.Time // when the process had loaded this package; zero for a mapped file
	Reason     string    // "request", "SIGQUIT", "panic" or "shutdown"; "mapped" for a mapped file
	Detail     []string  // what else is known about the reason: the task and the stack of a panic, what holds a shutdown up
	Go         string    // version of Go, system and architecture
	Goroutines int       // how many there were

	Events    []Event // the oldest first
	Deadlocks []string
	Threads   []string // functions in threads
	Tasks     []Task   // the oldest first
	Stacks    string   // of all goroutines, "" if they were not requested

	LeftOff  int  // how many events and tasks had no room
	Complete bool // the file has its end; a mapped file has none
}

// An Event is something that has happened to a task.
type Event struct {
	Time time.Time `json:"time"`
	Task uint64    `json:"task"` // its ID
	Kind string    `json:"kind"` // such as created, waits, ended, failed

	// By is the task that has created or cancelled the task, 0 for none. Object is the address of
	// what the task waits for, 0 for nothing.
	By     uint64 `json:"by,omitempty"`
	Object uint64 `json:"object,omitempty"`

	Text string `json:"text,omitempty"` // the name of a task that is created, what a task waits for, the type of an error
}

// A Task describes a task when the file was written. Its JSON has the same names as the monitor's.
type Task struct {
	ID      uint64  `json:"id"`
	Name    string  `json:"name"`
	Parent  uint64  `json:"parent,omitempty"` // ID of the task around it, 0 for none
	Kernel  uint64  `json:"kernel"`
	Kind    string  `json:"kind"`    // task, main, daemon or service
	State   string  `json:"state"`   // see curio.AnyTask.State
	Cycles  uint64  `json:"cycles"`  // see curio.AnyTask.Cycles
	Age     float64 `json:"age"`     // in seconds, like the fields below
	Spawned string  `json:"spawned"` // file:line

	Waits    []Wait   `json:"waits,omitempty"`
	Waiting  float64  `json:"waiting,omitempty"`
	Until    *float64 `json:"until,omitempty"`    // when the wait ends by itself, from the time of the file; nil for never
	Deadline *float64 `json:"deadline,omitempty"` // the earliest around the task; nil for none

	Cancelled string `json:"cancelled,omitempty"` // what cancelled it, and where; "" if nothing did
	Essential bool   `json:"essential,omitempty"`
	Group     bool   `json:"group,omitempty"` // it is a member of a group
}

// A Wait is one of the things that a task waits for.
type Wait struct {
	Op     string   `json:"op"`
	Object string   `json:"object,omitempty"`
	On     []uint64 `json:"on,omitempty"` // IDs of the tasks that can end the wait, as far as they are known
}

// header is the first line of a file.
type header struct {
	BlackBox   int       `json:"blackbox"`
	Program    string    `json:"program"`
	PID        int       `json:"pid"`
	Time       time.Time `json:"time"`
	Started    time.Time `json:"started"`
	Reason     string    `json:"reason"`
	Detail     []string  `json:"detail,omitempty"`
	Go         string    `json:"go"`
	Goroutines int       `json:"goroutines"`
}

// ringHeader is the first line of a mapped file. The ring begins after ringAt bytes.
type ringHeader struct {
	Ring    int       `json:"ring"`
	Program string    `json:"program"`
	PID     int       `json:"pid"`
	Wall    time.Time `json:"wall"`  // a moment by the wall clock
	Clock   int64     `json:"clock"` // the same moment by the clock of the events, in nanoseconds
	Size    int       `json:"size"`  // of the ring
	Go      string    `json:"go"`
}

const ringAt = 4096

// mappedReason is the Reason of a mapped file.
const mappedReason = "mapped"

// line is any other line of a file. One of the fields is set.
type line struct {
	Event    *Event  `json:"event,omitempty"`
	Deadlock *string `json:"deadlock,omitempty"`
	Thread   *string `json:"thread,omitempty"`
	Task     *Task   `json:"task,omitempty"`
	Stacks   *string `json:"stacks,omitempty"`
	End      *ending `json:"end,omitempty"`
}

type ending struct {
	LeftOff int `json:"left_off"`
}
