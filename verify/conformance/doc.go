// Package conformance holds no code, only tests: that the primitives of package curio are
// linearizable, even when what waits for them is cancelled.
//
// A history is what happened to one object: calls by four to eight clients, 10 to 40 in
// all or, in one of four histories, by each; of each call the moment before it, the moment
// after it, and what it returned. Some clients are tasks, some are plain goroutines. They
// run in real time on all processors. Their calls are cut short in every way there is: by
// timeouts, by contexts that others cancel, by the end of their task. The checker,
// porcupine, then looks for an order of the calls in which a simple sequential model
// returns the same, and in which no call comes before one that had returned when it began.
// If there is none, the object is not what its documentation says.
//
// What a model holds an object to:
//
//   - A call that succeeded had its effect at one point between its beginning and its end.
//   - A call that ended with a cancellation had none. So it is left out of the history
//     before the check: that it took or put something all the same would show in the
//     calls that are left.
//   - A call whose context was done before it began did not succeed; and one whose context had
//     not ended was not cancelled.
//   - Items come out of a queue in its order. Which of the waiting tasks is served first is not
//     part of the models.
//   - A Try fails only for a reason: see contender.
//
// That a wait ends as soon as it can is no matter of the order of calls. It is checked only
// in so far as a history hangs if a wake-up gets lost that nothing else makes up for.
//
// Each object has a thousand histories, from seeds that a failure prints. A seed fixes
// what the clients want to do, not how they interleave; "-seed n" runs a thousand
// histories of that one.
//
// A test that cannot fail proves nothing. So each kind of object has broken twins, whose
// faults must be found within as many histories.
//
// The module is apart from the library, so that those who use that need no checker.
package conformance
