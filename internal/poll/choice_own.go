//go:build ownpoller

package poll

const ownPolling = true
