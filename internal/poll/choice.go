//go:build !ownpoller

package poll

// ownPolling says to use a poller of our own where there is one. The build tag ownpoller
// makes it true.
const ownPolling = false
