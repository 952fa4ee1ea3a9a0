package poll

// OnSendfile has f called instead of sendfile(2), until the test has ended.
func OnSendfile(t interface{ Cleanup(func()) }, f func(outfd, infd int, offset *int64, count int) (int, error)) {
	before := sendfile
	sendfile = f
	t.Cleanup(func() { sendfile = before })
}

// SendChunk is how much one call moves.
const SendChunk = sendChunk
