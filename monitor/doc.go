// Package monitor shows what the tasks of a running program do, and what they wait for: to a person
// with nc or telnet, to a browser, and to programs, as JSON over HTTP. Nothing listens unless the
// program asks for it:
//
//	server, err := monitor.On("unix:/run/user/1000/chat.sock")
//
// or, in a program that imports the package, by the environment variable CURIO_MONITOR, which has such an address. Then
//
//	nc -U /run/user/1000/chat.sock
//
// gives a prompt; "help" lists the commands.
//
// # What it stands on
//
// A monitor is not a task. It uses package net and plain goroutines, and neither the poller of
// package curio nor any of the locks, queues and threads that it shows. So it answers while every
// task is blocked, while one computes without end, and while a kernel is being shut down. It looks
// at one task after the other and does not stop them. Only to find a stack, all goroutines are
// stopped for a moment. Therefore there is at most one look at stacks per second, and each answer
// tells how long it took.
//
// It calls no code of the program: no String method, no Error method.
//
// # Who may ask
//
// A Unix socket is made with mode 0600: only the same user and the superuser can connect. They need
// no token.
//
// On TCP, the monitor listens only on loopback addresses. Each user of the machine can reach these,
// and so can each web page in a browser on it. So everything except the help needs a token, and an
// HTTP request must name this host (against DNS rebinding). Cross-origin requests are refused. The
// first line of a connection decides between HTTP and commands, so no command can be hidden in a
// request.
//
// Commands that change something, such as cancel, are refused unless AllowChanges was given.
package monitor
