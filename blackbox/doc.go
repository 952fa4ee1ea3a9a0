// Package blackbox records what a program was doing when something went wrong: a file with all
// tasks, what each waits for, deadlocks, functions in threads, and the last events of tasks, which
// the library keeps in a ring.
//
// [WriteFile] and [Write] write such a file when the program asks for it. [On] writes one when
// something goes wrong: a task panics, a kernel does not shut down, or the process gets SIGQUIT. For
// an end that no code sees, such as SIGKILL or a fatal error of the runtime, On can keep the ring of
// events in a mapped file, and have the runtime write its last words to a file beside it.
//
//	stop, err := blackbox.On(blackbox.Options{Dir: "/var/lib/chat/blackbox", Quit: true, Mapped: true})
//	if err != nil {
//		return err
//	}
//	defer stop()
//
// [Read] reads both kinds of file, and "curio show FILE" prints them.
//
// # What is in a file
//
// A file has names of tasks, lines of code, addresses of objects and of connections, and on request
// stacks. It does not have the text of the errors with which tasks end, and the value of a panic
// only if it is a string, a number or an error that Go makes itself: no code of yours is called to
// write it. Files are made with mode 0600, under names that cannot be guessed, and never through a
// symbolic link. They are bounded in size and, apart from the files of WriteFile, in number.
//
// # The format
//
// A file has lines of JSON. The first one identifies it: {"blackbox":1,"program":"chat",…}. The last
// one, {"end":{…}}, shows that nothing is missing. A reader ignores lines and fields that it does
// not know. A mapped file begins with {"ring":1,…} and then has records of fixed size.
package blackbox
