package foreign

import "testing"

// SetInterrupting calls f between the claim and the deadline, until the end of the test.
func SetInterrupting(t *testing.T, f func()) {
	before := interrupting
	interrupting = f
	t.Cleanup(func() { interrupting = before })
}
