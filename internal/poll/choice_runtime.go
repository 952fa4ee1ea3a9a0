//go:build runtimepoller

package poll

const ownPolling = false
