// Package testutil is what the tests of several packages have in common: child
// processes, a look for what they leave behind, what they log, and addresses on
// loopback that behave badly. It imports nothing of ours but is found in nobody's
// program.
package testutil
