//go:build race

package curio_test

const raceEnabled = true
