package main

// Where a benchmark has another implementation than the one that a row shows, it is in
// another row, or is left for those who run the benchmark by themselves.

var besideGo = [2]string{"Curio", "otherwise"}

// all returns the tables, in the order in which they are measured.
func all() []table {
	return []table{
		{name: "primitives", sides: besideGo, sections: []section{
			tasks, limits, locks, events, queues, selects, threads,
		}},
		{name: "system", sides: besideGo, sections: []section{sockets, files, programs, workers}},
		{name: "seen", sides: [2]string{"on", "off"}, sections: []section{switches, looks}},
		{name: "memory", sides: besideGo, rounds: 3, time: "1x", sections: []section{memory}},
		{name: "million", sides: [2]string{"many", "few"}, rounds: 1, time: "1x", env: "CURIO_BENCH_MOST=1000000", sections: []section{growth}},
		{name: "summary", sides: besideGo, short: true, sections: []section{{"cost of", pick(
			"spawn a task, join it", "group of ten", "cancel a task that sleeps, join it", "`TimeoutAfter`, not reached",
			"`Lock`, uncontended", "`Queue`, put and get in one task", "`Queue`, round trip between two", "`Select` that waits, round trip",
			"echo of 64 B, another process", "TLS, echo of 16 KiB", "`Run` of true", "a call in a worker process",
		)}}},
	}
}

var tasks = section{"tasks", []row{
	{"spawn a task, join it", ".", "SpawnJoin/n=1/impl={curio,WaitGroup}", "", "`WaitGroup.Go`, `Wait`"},
	{"spawn 1,000, join each", ".", "SpawnJoin/n=1000/impl={curio,WaitGroup}", "", "`WaitGroup.Go`, `Wait`"},
	{"the same with a name", "bench/waits", "SpawnNamed/name={yes,no}", "", "without a name"},
	{"group of ten", ".", "Group/impl={curio,WaitGroup}", "", "`WaitGroup`, `Once` and a `cancel`"},
	{"group of ten", "bench/waits", "Group/impl={curio,errgroup}", "", "`errgroup.WithContext`"},
	{"cancel a task that sleeps, join it", ".", "CancelJoin/impl={curio,context}", "", "`context.WithCancel`, `select`, a channel closed"},
	{"`Map`, 10 items", "bench/waits", "Map/items=10/limit=0/impl={curio,errgroup}", "", "`errgroup`"},
	{"`Map`, 10,000 items, `Limit(10)`", "bench/waits", "Map/items=10000/limit=10/impl={curio,errgroup}", "", "`errgroup`, `SetLimit(10)`"},
	{"`Race` of three, two are cancelled", "bench/waits", "Race/impl={curio,goroutines}", "", "goroutines, a channel, `cancel`, `Wait`"},
	{"`SharedCalls`, nobody else asks", "bench/waits", "CallAlone/tasks=1/impl={curio,singleflight.DoChan}", "", "`singleflight.DoChan`, `select`"},
	{"`Once`, the value is there", ".", "OnceSet/impl={Once.Do,sync.OnceValues}", "", "`sync.OnceValues`"},
	{"`Local.Get`", "bench/waits", "Local/impl={curio,context}", "", "`ctx.Value`"},
}}

var limits = section{"timeouts and cancellation", []row{
	{"`TimeoutAfter`, not reached", ".", "Timeout/impl={TimeoutAfter,context}", "", "`context.WithTimeout`, `cancel`"},
	{"`WithTimeout`, `cancel`", ".", "Timeout/impl={WithTimeout,context}", "", "`context.WithTimeout`, `cancel`"},
	{"`context.WithTimeout` in a task", "bench/waits", "TimeoutBelow/ctx={task,standard}", "", "the same below a standard context"},
	{"`context.WithTimeout` below a `WithValue` in a task", "bench/waits", "TimeoutBelow/ctx={value,standard}", "", "the same below a standard context"},
	{"an idle timeout begins anew", ".", "IdleTimeout/{CancelScope,timer}", "", "`time.Timer.Reset`"},
	{"`CheckCancellation`", "bench/waits", "Check/impl={curio,context}", "", "`ctx.Err`"},
	{"shield", "bench/waits", "Shield/impl={curio,context}", "", "`context.WithoutCancel`"},
	{"`Sleep` of 1 µs", ".", "Sleep/impl={curio,time}", "", "`time.Sleep`, which nothing cancels"},
	{"`Ticker`, every 100 µs", ".", "Ticker/interval=100µs/impl={Ticker,time.Ticker}", "", "`time.Ticker`, `select`"},
	{"hand-over in a task below `context.WithCancel`", "bench/waits", "RoundTripUnder/ctx={standard,task}", "", "directly in the task"},
}}

var locks = section{"locks", []row{
	{"`Lock`, uncontended", "bench/waits", "Lock/tasks=1/impl={curio,chan}", "", "a channel of one, `select`"},
	{"`Lock`, uncontended", "bench/waits", "Lock/tasks=1/impl={curio,sync.Mutex}", "", "`sync.Mutex`, which nothing cancels"},
	{"`Lock`, 64 tasks", "bench/waits", "Lock/tasks=64/impl={curio,chan}", "", "a channel of one, `select`"},
	{"`Lock`, 64 tasks", "bench/waits", "Lock/tasks=64/impl={curio,sync.Mutex}", "", "`sync.Mutex`, unfair"},
	{"`RLock`, taken twice", "bench/waits", "RLock/impl={curio,sync.Mutex}", "", "`sync.Mutex`, taken once"},
	{"`RWLock`, one reader", "bench/waits", "RWLock/tasks=1/impl={curio,sync.RWMutex}", "", "`sync.RWMutex`"},
	{"`RWLock`, 64 readers", "bench/waits", "RWLock/tasks=64/impl={curio,sync.RWMutex}", "", "`sync.RWMutex`"},
	{"`Semaphore`, uncontended", "bench/waits", "Semaphore/tasks=1/impl={curio,semaphore.Weighted}", "", "`semaphore.Weighted`"},
	{"`Semaphore`, 64 tasks", "bench/waits", "Semaphore/tasks=64/impl={curio,semaphore.Weighted}", "", "`semaphore.Weighted`"},
	{"a lock of your own on a `WaitList`", ".", "WaitList/n=1/impl={bare_WaitList,channel}", "", "a channel of one, `select`"},
}}

var events = section{"events and conditions", []row{
	{"`Event`, it is set", "bench/waits", "EventSet/impl={curio,chan}", "", "a closed channel, `select`"},
	{"`Event`, round trip", "bench/waits", "EventRoundTrip/impl={curio,chan}", "", "channels of one, `select`"},
	{"`Condition`, two take turns", "bench/waits", "Condition/tasks=2/impl={curio,sync.Cond}", "", "`sync.Cond`, which nothing cancels"},
	{"`Barrier` of ten", "bench/waits", "Barrier/tasks=10/impl={curio,sync.Cond}", "", "`sync.Cond` and a counter"},
	{"`Result`, set and got", "bench/waits", "Result/impl={curio,chan}", "", "a channel of one, `select`"},
	{"`Watch`, one waiter answers", ".", "Watch/n=1/impl={curio,close}", "", "a channel closed at each change"},
}}

var queues = section{"queues", []row{
	{"`Queue`, put and get in one task", "bench/waits", "QueueUncontended/tasks=1/impl={curio,chan}", "", "a channel, `select`"},
	{"`Queue`, round trip between two", "bench/waits", "QueueRoundTrip/tasks=2/impl={curio,chan}", "", "channels, `select`"},
	{"`Queue` of 16, a producer, a consumer", "bench/waits", "QueuePipe/tasks=2/impl={curio,chan}", "", "a channel of 16, `select`"},
	{"`Queue` of 16, 32 of each", "bench/waits", "QueuePipe/tasks=64/impl={curio,chan}", "", "a channel of 16, `select`"},
	{"priority queue, 100 items inside", "bench/waits", "QueueOrders/order={priority,fifo}", "", "our `Queue` in order of arrival"},
	{"`Broadcast` to ten, and received", ".", "Broadcast/n=10/impl={curio,channels}", "", "a channel for each, under a mutex"},
}}

var selects = section{"waiting for several", []row{
	{"`Select` of two, one is ready", ".", "SelectReady/cases=2/impl={curio,select}", "", "`select` on three channels"},
	{"`Select` that waits, round trip", ".", "SelectBlocks/impl={curio,select}", "", "`select` on three channels"},
	{"the same with a Go channel in it", ".", "SelectBlocks/impl={curio_with_a_channel,select}", "", "`select` on three channels"},
	{"`Select` over a socket and an event", "socket", "SelectSocket/impl={curio,goroutine}", "", "a goroutine that reads into a channel"},
	{"first of two queues, by `Race`", "bench/waits", "FirstOfTwo/impl={Race,Select}", "", "by `Select`"},
}}

var threads = section{"code that takes no context", []row{
	{"`RunInThread`", "bench/waits", "Thread/impl={RunInThread,goroutine}", "", "a goroutine, a channel, `select`"},
	{"`Abide` with a mutex", "bench/waits", "Abide/impl={curio,sync.Mutex}", "", "`Lock`, which nothing cancels"},
	{"`Receive` from a channel", "bench/waits", "Receive/impl={curio,select}", "", "`select`"},
}}

var sockets = section{"sockets, one connection", []row{
	{"echo of 64 B, another process", "socket", "Echo/peer=another_process/bytes=64/impl={curio,net}", "", "package net"},
	{"echo of 16 KiB, another process", "socket", "Echo/peer=another_process/bytes=16384/impl={curio,net}", "", "package net"},
	{"the same of 64 B under a timeout", "socket", "WaitUnderTimeout/peer=another_process/impl={curio,net}", "", "`SetReadDeadline`"},
	{"connect, accept, close", "socket", "Connect/impl={curio,net}", "", "package net"},
	{"`OpenConnection`, `Close`", "network", "Connect/impl={curio,net}", "", "`net.Dialer.DialContext`"},
	{"a connection served and closed", "network", "Accept/impl={curio,net}", "", "package net"},
	{"TLS, echo of 64 B", "network", "TLSEcho/size=64/impl={curio,net}", "", "crypto/tls on package net"},
	{"TLS, echo of 16 KiB", "network", "TLSEcho/size=16384/impl={curio,net}", "", "crypto/tls on package net"},
	{"TLS, connect, handshake, close", "network", "TLSHandshake/impl={curio,net}", "", "crypto/tls on package net"},
	{"`NetConn`, read with a deadline", "network", "ReadDeadline/what=wait/impl={curio,net}", "", "package net"},
	{"a line, and a line in answer", "stream", "PingPong/by={curio,bufio}", "", "`bufio` on package net"},
	{"lines of 20 B, each", "stream", "ReadLines/size=20/by={curio,bufio}", "", "`bufio` on package net"},
}}

var files = section{"files", []row{
	{"`ReadAt`, 4 KiB, in memory", "file", "ReadAt/on=tmpfs/by={curio,os}", "", "package os, which nothing cancels"},
	{"`ReadAt`, 4 KiB, of a disk, cached", "file", "ReadAt/on=disk/by={curio,os}", "", "package os"},
	{"`ReadAt`, 4 KiB, of an overlay, cached", "file", "ReadAt/on=overlay/by={curio,os}", "", "package os"},
	{"`ReadFile`, 64 KiB, in memory", "file", "ReadFile/size=65536/on=tmpfs/by={curio,os}", "", "package os"},
	{"`ReadFile`, 64 KiB, of a disk, cached", "file", "ReadFile/size=65536/on=disk/by={curio,os}", "", "package os"},
	{"`WriteAt`, 4 KiB, of a disk", "file", "WriteAt/on=disk/by={curio,os}", "", "package os"},
	{"open and close", "file", "Open/on=tmpfs/by={curio,os}", "", "package os"},
	{"walk of 8,000 files", "file", "Walk/by={curio/paths=true,os}", "", "`filepath.WalkDir`"},
	{"`WriteFileAtomic`, 4 KiB, in memory", "file", "WriteFileAtomic/on=memory/by={curio,os}", "", "temporary file, sync, rename"},
}}

var programs = section{"programs", []row{
	{"`Run` of true", "subprocess", "RunTrue/by={curio,os/exec}", "", "os/exec"},
	{"`CheckOutput` of echo", "subprocess", "CheckOutput/by={curio,os/exec}", "", "os/exec"},
	{"`Start` and `Wait` of true", "subprocess", "StartAndWait/by={curio,os/exec}", "", "os/exec"},
	{"5 MB through cat", "subprocess", "ThroughCat/by={curio,os/exec}", "", "os/exec"},
	{"100,000 lines of seq", "subprocess", "Lines/by={curio,os/exec}", "", "os/exec, `bufio.Scanner`"},
}}

var workers = section{"worker processes and channels", []row{
	{"a call in a worker process", "process", "Overhead", "{worker-ns,goroutine-ns}", "in a goroutine"},
	{"a call in a worker process", "process", "AgainstPython/size=0", "{worker-ns,python-ns}", "Python's `ProcessPoolExecutor`"},
	{"the same with 16 KiB each way", "process", "AgainstPython/size=16384", "{worker-ns,python-ns}", "Python's `ProcessPoolExecutor`"},
	{"a worker from start to end", "process", "Start", "", ""},
	{"a call cancelled, a new worker", "process", "Cancel", "", ""},
	{"channel, 64 B there and back", "channel", "Bytes/size=64/way={RecvBytesInto,net}", "", "package net, a length, `bufio`"},
	{"channel, 16 KiB there and back", "channel", "Bytes/size=16384/way={RecvBytesInto,net}", "", "package net, a length, `bufio`"},
	{"channel, a value in JSON", "channel", "Values/way={JSON,net.json}", "", "`json.Encoder` on package net"},
	{"channel, a value by gob", "channel", "Values/way={Gob,net.gob}", "", "`gob.Encoder` on package net"},
	{"channel, connect with a key", "channel", "Connect/with={key,net}", "", "package net, without a key"},
}}

var switches = section{"what is switched on", []row{
	{"spawn and join: the last events kept (default)", ".", "Recording/what=spawn/record={tasks,nothing}", "", "nothing kept"},
	{"spawn and join: waits kept, too", ".", "Recording/what=spawn/record={waits,nothing}", "", "nothing kept"},
	{"two waits: the last events kept (default)", ".", "Recording/what=wait/record={tasks,nothing}", "", "nothing kept"},
	{"two waits: waits kept, too", ".", "Recording/what=wait/record={waits,nothing}", "", "nothing kept"},
	{"spawn and join: labels with names", "debug", "LabelsSpawnJoin/labels={names,off}/values=none", "", "no labels"},
	{"spawn and join: `SetTrace`, no trace is taken", "debug", "TraceSpawnJoin/trace={on,off}", "", "no `SetTrace`"},
	{"spawn and join: `SetTrace`, one is taken", "debug", "TraceSpawnJoin/trace={taken,taken.off}", "", "taken without `SetTrace`"},
	{"two waits: `SetTrace`, one is taken", "debug", "TraceWait/trace={taken,taken.off}", "", "taken without `SetTrace`"},
	{"spawn and join: black box, mapped file", "blackbox", "SpawnJoin/box={mapped,off}", "", "no black box"},
	{"two waits: black box with waits", "blackbox", "Wait/box={mapped.waits,off}", "", "no black box"},
	{"spawn and join: the monitor's page is open, 100,000 tasks", "monitor", "SpawnJoin/watched={page,no}", "", "nobody looks"},
}}

var looks = section{"what a look costs", []row{
	{"`Inspect`, for each of 1,000 tasks", ".", "Inspect/tasks=1000", "ns/task", ""},
	{"`Inspect`, for each of 100,000 tasks", ".", "Inspect/tasks=100000", "ns/task", ""},
	{"`ReadStats`, 100,000 tasks", ".", "ReadStats/tasks=100000", "", ""},
	{"`Deadlocks`, for each of 10,000 tasks", ".", "Deadlocks/tasks=one_lock/n=10000", "ns/task", ""},
	{"the monitor's `ps`, 1,000 tasks", "monitor", "Answer/tasks=1000/command=ps", "", ""},
	{"one stack among 1,000 tasks, by label", "debug", "Stack/impl={Stack,Traceback}", "", "`Traceback`, which stops all"},
	{"a report of the black box, 10,000 tasks", "blackbox", "Write/tasks=10000", "", ""},
}}

var memory = section{"memory", []row{
	{"a task that sleeps, of a million", "verify/core", "MemorySleepingTasks/impl={curio,goroutine}", "B/task", "a goroutine in `time.Sleep`, which nothing cancels"},
	{"a task that sleeps", "bench/waits", "Memory/what=sleeping/impl={curio,goroutine}", "B/each", "a goroutine, `NewTimer`, `select`"},
	{"a task that waits in `Queue.Get`", "bench/waits", "Memory/what=receiving/impl={curio,goroutine}", "B/each", "a goroutine in `select`"},
	{"a task that sleeps under a timeout", "bench/waits", "Memory/what=timeout/impl={curio,goroutine}", "B/each", "`context.WithTimeout`, `select`"},
	{"a task with a name", "bench/waits", "Memory/what=named/impl={curio,goroutine}", "B/each", "a goroutine, `NewTimer`, `select`"},
	{"an empty `Queue` of 16 ints", "bench/waits", "Memory/what=queue/impl={curio,chan}", "B/each", "a channel of 16 ints"},
	{"the same, full", "bench/waits", "Memory/what=full/impl={curio,chan}", "B/each", "a channel of 16 ints"},
	{"a `Lock`", "bench/waits", "Memory/what=lock/impl={curio,chan}", "B/each", "a channel of one"},
	{"an `Event`", "bench/waits", "Memory/what=event/impl={curio,chan}", "B/each", "a channel"},
	{"a `Semaphore`", "bench/waits", "Memory/what=semaphore/impl={curio,semaphore.Weighted}", "B/each", "`semaphore.Weighted`"},
}}

// growth compares the cost of one operation where there are very many of something with its
// cost where there are a thousand.
var growth = section{"from a thousand on", []row{
	{"start and end of a member, in a group of a million", "verify/core", "Growth/what=end_of_a_group_with_members/n={1000000,1000}", "ns/each", "in a group of a thousand"},
	{"spawn and join beside a million siblings", "verify/core", "Growth/what=spawn_beside_siblings/n={1000000,1000}", "ns/each", "beside a thousand"},
	{"cancel and end of a task in line for a `Lock`, a million wait", "verify/core", "Growth/what=cancel_waiters_of_Lock/n={1000000,1000}", "ns/each", "a thousand wait"},
	{"cancel and end of a task in `Queue.Get`, a million wait", "verify/core", "Growth/what=cancel_waiters_of_Queue/n={1000000,1000}", "ns/each", "a thousand wait"},
	{"cancel and end of a task in `Event.Wait`, a million wait", "verify/core", "Growth/what=cancel_waiters_of_Event/n={1000000,1000}", "ns/each", "a thousand wait"},
	{"`Acquire` and `Release` of a `Semaphore`, a million wait for more", "verify/core", "Growth/what=Acquire_and_Release_beside_requests_that_are_too_large/n={1000000,1000}", "ns/each", "a thousand wait"},
	{"cancel at the end of a chain of 100,000 tasks", "verify/core", "Growth/what=cancel_at_the_end_of_a_chain/n={100000,1000}", "ns/each", "of a thousand"},
	{"end of each of 100,000 groups in groups", "verify/core", "Growth/what=end_of_a_group_in_groups/n={100000,1000}", "ns/each", "of a thousand"},
	{"`Inspect`, for each task of 100,000", ".", "Inspect/tasks={100000,1000}", "ns/task", "of a thousand"},
}}
