//go:build !runtimepoller

package poll

// ownPolling says to use a poller of our own where there is one. The build tag runtimepoller
// makes it false, as it is on the systems where there is none.
const ownPolling = true
