package curio

// A stateClass is a class of states: there are too many states to count tasks by each. See Stats.ByState.
type stateClass uint8

const (
	otherState stateClass = iota
	runningState
	sleepState
	readState
	writeState
	networkState
	lockState
	queueState
	eventState
	taskState
	threadState
	fileState
	processState
	selectState

	stateClasses // how many there are
)

// String returns the name by which users know c.
func (c stateClass) String() string {
	return [stateClasses]string{
		otherState: "other", runningState: "running", sleepState: "sleep", readState: "read", writeState: "write",
		networkState: "network", lockState: "lock", queueState: "queue", eventState: "event", taskState: "task",
		threadState: "thread", fileState: "file", processState: "process", selectState: "select",
	}[c]
}

// classes has all states of this module: a new one has to be put in, which a test checks. A program's own are not here.
var classes = map[string]stateClass{
	"INITIAL": runningState, "RUNNING": runningState,

	"TIME_SLEEP": sleepState,
	"READ_WAIT":  readState,
	"WRITE_WAIT": writeState,

	"ACCEPT_WAIT": networkState, "CONNECT_WAIT": networkState, "DNS_WAIT": networkState, "HANDSHAKE_WAIT": networkState,
	"CLOSE_WAIT": networkState,

	"LOCK_ACQUIRE": lockState, "RLOCK_ACQUIRE": lockState, "READ_ACQUIRE": lockState, "WRITE_ACQUIRE": lockState,
	"SEMA_ACQUIRE": lockState, "GROUP_LIMIT": lockState, "READ_TURN": lockState, "WRITE_TURN": lockState,
	"ACCEPT_TURN": lockState, "HANDSHAKE_TURN": lockState,

	"QUEUE_GET": queueState, "QUEUE_PUT": queueState, "QUEUE_JOIN": queueState, "BROADCAST_SEND": queueState,
	"BROADCAST_RECEIVE": queueState, "CHANNEL_SEND": queueState, "CHANNEL_RECEIVE": queueState,

	"EVENT_WAIT": eventState, "CONDITION_WAIT": eventState, "BARRIER_WAIT": eventState, "RESULT_WAIT": eventState,
	"WATCH_WAIT": eventState, "ONCE_WAIT": eventState, "SHARED_CALL": eventState, "SIGNAL_GET": eventState,

	opJoin: taskState, opWait: taskState, opCancel: taskState, opStop: taskState, opGroupJoin: taskState,
	"TASKGROUP_NEXT": taskState, opShutdown: taskState, "KERNEL_STOP": taskState,

	"THREAD_CALL": threadState, "THREAD_SLOT": threadState, "THREAD_TURN": threadState, "ABIDE": threadState,

	"FILE_CALL": fileState, "FILE_TURN": fileState, "FILE_LOCK": fileState, "FILE_UNSETTLED": fileState,
	"FILE_WATCH": fileState, "FILE_WATCH_EVENTS": fileState, "FILE_WATCH_ROOM": fileState,

	"PROCESS_WAIT": processState, "PROCESS_CALL": processState, "PROCESS_MAP": processState, "PROCESS_POOL": processState,
	"PROCESS_WORKER": processState, "PROCESS_REPORT": processState,

	"SELECT": selectState,
}

// classOf returns the class of a task's state, otherState for one that is not known.
func classOf(state string) stateClass { return classes[state] }
