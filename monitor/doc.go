// Package monitor shows what the tasks of a running program do, and what they wait for: to a person with nc or telnet, to
// a browser, and to programs, as JSON over HTTP. Nothing listens unless it is asked for:
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
// A monitor is no task. It uses package net and plain goroutines, none of the locks, queues and threads that it shows, and
// not the poller of package curio. So it answers while every task is blocked, while one computes without end, and while
// a kernel is being shut down. It looks at one task after the other and stops nobody, except for stacks: to find one, all
// goroutines are stopped for a moment. So there is at most one look at stacks per second, and each answer says how long it
// took.
//
// It calls no code of the program's: no String method, no Error method.
//
// # Who may ask
//
// A Unix socket is made with mode 0600: only the same user and the superuser can connect, and need no token.
//
// On TCP, only addresses of loopback are listened on. Each user of the machine reaches these, and so does each web page
// in a browser on it. So everything but the help needs a token, and an HTTP request has to name a host that is this one
// (against DNS rebinding). Cross-origin requests are refused. The first line of a connection decides between HTTP and
// commands, so that no command can be hidden in a request.
//
// Whatever changes something, such as cancel, is refused unless AllowChanges was given.
package monitor
